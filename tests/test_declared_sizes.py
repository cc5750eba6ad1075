"""What says that it is huge is refused before it is read, and what is no file is not waited for."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heatmark.datasets.decoding import MOST_PIXELS, decoded
from heatmark.datasets.photographs.image_folder import load_image_folder
from heatmark.datasets.samples import UnreadableSample
from heatmark.declared_sizes import FREE_BYTES, TIMES, TooLarge, check_unpacked, check_zip, regular_bytes
from heatmark.errors import BadInput, StorageError

LITTLE = 32 * 2**20
"""Refusing takes no more memory than this."""


class Memory:
    """The most memory that Python and NumPy took within a block."""

    def __enter__(self) -> Memory:
        tracemalloc.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def png(width: int, height: int) -> bytes:
    """Return a PNG file that says how large it is and holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [13_000, 100_000])  # Pillow itself refuses the second, not the first
def test_a_picture_that_says_it_is_huge_is_not_decoded(side: int) -> None:
    with Memory() as memory, pytest.raises(UnreadableSample, match="million pixels"):
        decoded(png(side, side), "huge.png")
    assert memory.peak < LITTLE


def test_large_photographs_are_decoded(recwarn: pytest.WarningsRecorder) -> None:
    # Above the size at which Pillow warns, below the one that is refused.
    width, height = 9_600, 9_600
    assert Image.MAX_IMAGE_PIXELS is not None and Image.MAX_IMAGE_PIXELS < width * height < MOST_PIXELS
    file = io.BytesIO()
    Image.new("L", (width, height), 7).save(file, format="PNG", compress_level=1)
    assert decoded(file.getvalue(), "large.png").shape == (height, width, 1)
    assert not recwarn.list


def test_an_archive_may_hold_what_its_size_can_mean(tmp_path: Path) -> None:
    check_unpacked("a file", FREE_BYTES, 10)
    check_unpacked("a file", TIMES * FREE_BYTES, FREE_BYTES)
    with pytest.raises(TooLarge):
        check_unpacked("a file", TIMES * FREE_BYTES + 1, FREE_BYTES)
    plain = tmp_path / "plain.npz"
    np.savez(plain, x=np.zeros(2**24))  # 128 MiB, kept as they are
    check_zip(plain)


def bomb(path: Path, member: str, config: str = "{}") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", "{}")
        with archive.open(member, "w", force_zip64=True) as file:
            for _ in range(40):
                file.write(bytes(2**22))
    return path


def test_an_archive_of_zeros_is_refused(tmp_path: Path) -> None:
    packed = bomb(tmp_path / "bomb.npz", "x.npy")
    assert packed.stat().st_size < 2**18
    with Memory() as memory, pytest.raises(TooLarge, match="160 MiB"):
        check_zip(packed)
    assert memory.peak < LITTLE


def test_a_saved_network_that_says_it_is_huge_is_not_read(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    import h5py

    from heatmark.models.zoo.saved_keras import check_saved_keras, load_saved_keras, may_be_read_otherwise

    path = bomb(tmp_path / "net.keras", "model.weights.h5")
    with Memory() as memory:
        for refuse in (check_saved_keras, load_saved_keras):
            with pytest.raises(TooLarge, match=r"net\.keras says that it holds 160 MiB"):
                refuse(path)
        assert not may_be_read_otherwise(path)
    assert memory.peak < LITTLE
    # A small file may say the same of its arrays: those that were never written are zeros.
    huge = tmp_path / "net.h5"
    with h5py.File(huge, "w") as file:
        file.attrs["model_config"] = "{}"
        file.create_dataset("weights", shape=(2**30, 4), dtype="f4", chunks=(2**16, 4))
    with pytest.raises(TooLarge, match=r"net\.h5 says that it holds 16 GiB"):
        check_saved_keras(huge)
    inner = tmp_path / "inner.keras"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.write(huge, "model.weights.h5")
    with pytest.raises(TooLarge, match=r"model\.weights\.h5 in .*16 GiB"):
        check_saved_keras(inner)


def test_a_table_of_results_that_says_it_is_huge_is_not_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from heatmark.benchmark.store.keyed import opened_table

    path = tmp_path / "cell.parquet"
    pq.write_table(pa.table({"map": pa.array([None] * (2**28 + 1), pa.bool_())}), path)
    assert path.stat().st_size < 2**20
    with pytest.raises(StorageError, match="says that it has 268435457 rows"):
        opened_table(path, b"heatmark", lambda rows, footer: rows)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_pipes_and_devices_are_no_pictures_and_nobody_waits_for_them(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(_picture())
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    data = load_image_folder(path=tmp_path)
    assert len(data) == 1 and len(data.revision) == 64
    assert {Path(item.path).name for item in data.skipped} == {"pipe.png", "zero.png"}
    with pytest.raises(BadInput, match="pipe"):
        regular_bytes(tmp_path / "pipe.png", 10)
    with pytest.raises(TooLarge):
        regular_bytes(tmp_path / "good.png", 10)


def test_links_in_a_circle_are_followed_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "good.png").write_bytes(_picture())
        (tmp_path / name / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self.png").symlink_to(tmp_path / "a" / "self.png")
    (tmp_path / "b" / "nowhere.png").symlink_to(tmp_path / "missing.png")
    data = load_image_folder(path=tmp_path)
    read = [data.sample_id(index) for index in range(len(data)) if _readable(data, index)]
    assert read == ["a/good.png", "b/good.png"] and data.class_names == ("a", "b")


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\nshowpage\n",
        b"%PDF-1.4\n",
        b"",
    ],
)
def test_what_only_a_name_makes_a_picture_is_named_and_nothing_is_run(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "drawing.png").write_bytes(content)
    data = load_image_folder(path=tmp_path)
    with pytest.raises(UnreadableSample, match="not a picture in a known format"):
        data.sample(0)


def _readable(data: object, index: int) -> bool:
    try:
        data.sample(index)  # type: ignore[attr-defined]
    except UnreadableSample:
        return False
    return True


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, format="PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "header",
    [
        b'{"w":{"dtype":"F32","shape":[1073741824,1024],"data_offsets":[0,4398046511104]}}',
        b'{"w":{"dtype":"F32","shape":[1073741824,1024],"data_offsets":[0,4]}}',
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("length", ["true", "huge"])
def test_weights_whose_header_lies_are_refused(tmp_path: Path, header: bytes, length: str) -> None:
    from heatmark.models.architecture.weights_file import load_metadata, load_weights

    path = tmp_path / "net.safetensors"
    told = len(header) if length == "true" else 2**62
    path.write_bytes(struct.pack("<Q", told) + header + bytes(4))
    with Memory() as memory:
        for read in (load_metadata, load_weights):
            with pytest.raises(StorageError, match="Cannot read the weights"):
                read(path)
    assert memory.peak < LITTLE


def test_json_that_is_nested_without_end_is_damage(tmp_path: Path) -> None:
    from heatmark.benchmark.store.keyed import read_json
    from heatmark.benchmark.store.plan_file import read_plan

    deep = "[" * 200_000
    (tmp_path / "plan.json").write_text(deep)
    assert read_json(tmp_path / "plan.json") is None
    with pytest.raises(StorageError, match="nested too deeply"):
        read_plan(tmp_path)
    pytest.importorskip("keras")
    from heatmark.models.zoo.saved_keras import check_saved_keras, may_be_read_otherwise

    network = tmp_path / "net.keras"
    for configuration in (deep, '{"config":' * 300 + "{}" + "}" * 300, "[" * 900 + "]" * 900):
        with zipfile.ZipFile(network, "w") as archive:
            archive.writestr("config.json", configuration)
        for ask in (check_saved_keras, may_be_read_otherwise):
            try:  # an answer or a refusal, and nothing else
                ask(network)
            except BadInput as error:
                assert "Save the whole model again" in str(error)
