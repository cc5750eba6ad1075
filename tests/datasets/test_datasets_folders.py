"""Picture folders: decoding, class names, what is left out, revisions."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from heatmark.datasets.base import ArrayFormat
from heatmark.datasets.photographs.folders import natural_key
from heatmark.datasets.photographs.imagenet_classes import imagenet_classes
from heatmark.datasets.registry import load_dataset
from heatmark.errors import BadInput

RGB = ArrayFormat((8, 8, 3))


def save(path, colour=(255, 0, 0), size=(8, 8), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)
    return path


def folder_of(path):
    return load_dataset(f"image-folder:{path}")


def only(path, **options):
    """Return the pixels of the one picture in a folder."""
    return load_dataset(f"image-folder:{path}", **options).sample(0).array


def test_class_names_are_the_folders_in_natural_order(tmp_path):
    for name, colour in [("grain10", (0, 0, 255)), ("grain2", (0, 255, 0)), ("Alnus", (255, 0, 0))]:
        save(tmp_path / name / "b.png", colour)
        save(tmp_path / name / "deep" / "a.PNG", colour)
    (tmp_path / "empty").mkdir()
    data = folder_of(tmp_path)
    assert data.class_names == ("Alnus", "empty", "grain2", "grain10")
    assert [file.id for file in data.files] == [
        *(
            "Alnus/b.png",
            "Alnus/deep/a.PNG",
            "grain2/b.png",
            "grain2/deep/a.PNG",
            "grain10/b.png",
            "grain10/deep/a.PNG",
        ),
    ]
    batch = data.take(6, RGB)
    assert batch.y.tolist() == [0, 0, 2, 2, 3, 3]
    # The labels stand with the right pictures.
    assert batch.x[:, 0, 0].argmax(axis=-1).tolist() == [0, 0, 1, 1, 2, 2]
    assert data.title == tmp_path.name and data.skipped == () and len(set(batch.ids)) == 6


def test_names_that_are_no_text_are_spelt_out(tmp_path):
    latin = os.fsdecode(b"caf\xe9")
    for folder in (latin, "tea"):
        save(tmp_path / folder / f"{latin}.png")
    (tmp_path / f"{latin}.txt").write_text("no picture")
    data = folder_of(tmp_path)
    assert data.class_names == ("caf\\xe9", "tea") and data.take(2, RGB).y.tolist() == [0, 1]
    assert data.take(2, RGB).ids == ("caf\\xe9/caf\\xe9.png", "tea/caf\\xe9.png")
    assert [os.path.basename(item.path) for item in data.skipped] == ["caf\\xe9.txt"]  # noqa: PTH119
    assert folder_of(tmp_path / latin).title == "caf\\xe9"


def test_a_flat_folder_has_no_classes(tmp_path):
    for number in (10, 9, 1):
        save(tmp_path / f"p{number}.png")
    data = folder_of(tmp_path)
    assert data.class_names == () and data.take(3, RGB).y.tolist() == [-1, -1, -1]
    assert data.take(3, RGB).ids == ("p1.png", "p9.png", "p10.png")


def test_folders_named_by_synset_get_imagenets_class_ids(tmp_path):
    for name in ("n02108422", "n01440764"):
        save(tmp_path / name / "a.png")
    data = folder_of(tmp_path)
    assert len(data.class_names) == 1000 and data.take(2, RGB).y.tolist() == [0, 243]
    plain = load_dataset(f"image-folder[classes=folders]:{tmp_path}")
    assert plain.class_names == ("n01440764", "n02108422") and plain.take(2, RGB).y.tolist() == [0, 1]
    assert load_dataset(plain.name).class_names == plain.class_names
    assert plain.revision != data.revision


def test_other_files_are_named_and_counted_and_hidden_ones_ignored(tmp_path):
    save(tmp_path / "a" / "1.png")
    for name in ("a/notes.txt", "a/.DS_Store", "a/Thumbs.db", ".git/config.png", "LICENSE", "__MACOSX/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no picture")
    (tmp_path / "a" / "2.jpg").write_text("no picture either")
    torn = save(tmp_path / "a" / "3.png", size=(64, 64))
    torn.write_bytes(torn.read_bytes()[:-60])
    save(tmp_path / "a" / "4.png", (0, 0, 0))
    data = folder_of(tmp_path)
    assert len(data) == 4 and {os.path.basename(item.path) for item in data.skipped} == {"notes.txt", "LICENSE"}  # noqa: PTH119
    batches = list(data.batches(3, RGB))
    assert [batch.ids for batch in batches] == [("a/1.png", "a/4.png")]
    reasons = {os.path.relpath(item.path, tmp_path): item.reason for item in data.skipped}
    assert sorted(reasons) == ["LICENSE", "a/2.jpg", "a/3.png", "a/notes.txt"]
    assert "not a picture" in reasons["a/2.jpg"] and reasons["a/3.png"]


def test_a_file_that_vanishes_is_skipped(tmp_path):
    for name in "ab":
        save(tmp_path / f"{name}.png")
    data = folder_of(tmp_path)
    (tmp_path / "a.png").unlink()
    assert data.take(2, RGB).ids == ("b.png",)
    assert [item.reason for item in data.skipped] == ["No such file or directory"]


def test_folders_without_pictures_are_refused(tmp_path):
    with pytest.raises(BadInput, match="No pictures in"):
        folder_of(tmp_path)
    (tmp_path / "report.pdf").write_text("x")
    with pytest.raises(BadInput, match=r"1 other file.*report\.pdf"):
        folder_of(tmp_path)
    with pytest.raises(BadInput, match="no such folder"):
        folder_of(tmp_path / "typo")
    with pytest.raises(BadInput, match="it is a file"):
        folder_of(tmp_path / "report.pdf")
    with pytest.raises(BadInput, match="image-folder:PATH"):
        load_dataset("image-folder")


def test_the_revision_changes_with_any_file_and_only_then(tmp_path):
    for number in range(3):
        save(tmp_path / "a" / f"{number}.bmp", (number, 0, 0))
    first, subset = folder_of(tmp_path).revision, folder_of(tmp_path).subset([0, 1]).revision
    assert folder_of(tmp_path).revision == first
    (tmp_path / "a" / "readme.txt").write_text("not part of it")
    assert folder_of(tmp_path).revision == first
    # Another pixel in a file of the same size.
    size = (tmp_path / "a" / "2.bmp").stat().st_size
    save(tmp_path / "a" / "2.bmp", (9, 0, 0))
    assert (tmp_path / "a" / "2.bmp").stat().st_size == size
    changed = folder_of(tmp_path).revision
    assert changed != first and folder_of(tmp_path).subset([0, 1]).revision == subset
    (tmp_path / "a" / "2.bmp").rename(tmp_path / "a" / "3.bmp")
    renamed = folder_of(tmp_path).revision
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, changed, renamed, folder_of(tmp_path).revision}) == 4


def test_links_in_a_circle_end(tmp_path):
    save(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert folder_of(tmp_path).take(9, RGB).ids == ("a/1.png",)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", ""]), st.integers(0, 10**6)), min_size=1, max_size=8))
def test_natural_order_sorts_numbers_by_value(parts):
    names = [f"{letters}{number}" for letters, number in parts]
    assert sorted(names, key=natural_key) == [
        f"{letters}{number}" for letters, number in sorted(parts, key=lambda part: (part[0] != "", *part))
    ]


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, [100]),
        ("1", 1, [255]),
        ("P", 0, [0, 0, 0]),
        ("RGB", (1, 2, 3), [1, 2, 3]),
        ("RGBA", (200, 100, 0, 255), [200, 100, 0]),
        ("RGBA", (200, 100, 0, 0), [255, 255, 255]),  # laid on white
        ("RGBA", (0, 0, 0, 128), [127, 127, 127]),
        ("LA", (40, 255), [40]),
        ("LA", (40, 0), [255]),
    ],
)
def test_colour_spaces(tmp_path, mode, colour, expected):
    save(tmp_path / "p.png", colour, mode=mode)
    array = only(tmp_path)
    assert array.dtype == np.uint8 and array.shape == (8, 8, len(expected))
    assert np.abs(array.astype(int) - expected).max() <= 1


def test_cmyk(tmp_path):
    save(tmp_path / "p.jpg", (0, 255, 255, 0), mode="CMYK", quality=100)
    assert np.abs(only(tmp_path).astype(int) - [255, 0, 0]).max() <= 4


def test_sixteen_bit_and_float_greys_keep_their_depth(tmp_path):
    values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(values).save(tmp_path / "p.png")
    array = only(tmp_path)
    assert array.dtype == np.float32 and np.allclose(array[..., 0], values / 65535, atol=1e-7)
    (tmp_path / "p.png").unlink()
    floats = np.random.default_rng(0).random((8, 8), dtype=np.float32)
    Image.fromarray(floats).save(tmp_path / "p.tif")
    assert np.array_equal(only(tmp_path)[..., 0], floats)


@pytest.mark.parametrize("bad", [-0.5, 7.0, np.nan])
def test_floating_point_pictures_of_unknown_range_are_skipped(tmp_path, bad):
    save(tmp_path / "a.png")
    Image.fromarray(np.array([[0.5, bad]], np.float32)).save(tmp_path / "b.tif")
    data = folder_of(tmp_path)
    assert len(data.take(2, RGB)) == 1
    assert "0 to 1 is expected" in data.skipped[0].reason


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_cameras_orientation_is_applied(tmp_path, orientation):
    upright = np.zeros((6, 4, 3), np.uint8)
    upright[0, 0], upright[0, 3], upright[5, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    # What a camera stores under each value of the EXIF tag, as the EXIF standard defines it.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "p.png", exif=exif)
    assert np.array_equal(only(tmp_path), upright)


def test_postscript_named_as_a_picture_is_not_run(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    data = folder_of(tmp_path)
    assert data.take(2, RGB).ids == ("a.png",) and "not a picture" in data.skipped[0].reason


# ImageNet's two layouts


def flat_imagenet(folder, lines, words=None):
    for number in (1, 2, 3):
        save(folder / f"ILSVRC2012_val_0000000{number}.JPEG", (80 * number, 0, 0))
    (folder / "val.txt").write_text("\n".join(lines) + "\n")
    if words is not None:
        (folder / "synset_words.txt").write_text("\n".join(words) + "\n")
    return folder


def test_flat_imagenet_in_the_order_of_val_txt(tmp_path):
    lines = ["ILSVRC2012_val_00000002.JPEG 65", "ILSVRC2012_val_00000009.JPEG 3", "ILSVRC2012_val_00000001.JPEG\t970"]
    data = load_dataset(f"imagenet-1k:{flat_imagenet(tmp_path, lines)}")
    batch = data.take(9, RGB)
    assert batch.ids == ("ILSVRC2012_val_00000002.JPEG", "ILSVRC2012_val_00000001.JPEG")
    assert batch.y.tolist() == [65, 970] and data.title == "imagenet-1k" and len(data.class_names) == 1000
    reasons = {os.path.relpath(item.path, tmp_path): item.reason for item in data.skipped}
    assert reasons == {
        "ILSVRC2012_val_00000009.JPEG": "listed in val.txt but not there",
        "ILSVRC2012_val_00000003.JPEG": "not listed in val.txt",
    }


def test_photographs_may_lie_in_a_folder_beside_val_txt(tmp_path):
    lines = ["ILSVRC2012_val_00000002.JPEG 65", "ILSVRC2012_val_00000001.JPEG 970", "ILSVRC2012_val_00000009.JPEG 1"]
    flat = load_dataset(f"imagenet-1k:{flat_imagenet(tmp_path / 'flat', lines)}")
    place = tmp_path / "nested"
    flat_imagenet(place / "validation_images", lines)
    (place / "validation_images" / "val.txt").rename(place / "val.txt")
    nested = load_dataset(f"imagenet-1k:{place}")
    first, second = flat.take(9, RGB), nested.take(9, RGB)
    assert second.ids == first.ids and second.y.tolist() == first.y.tolist() == [65, 970]
    assert np.array_equal(first.x, second.x) and flat.revision == nested.revision
    reasons = {os.path.relpath(item.path, place): item.reason for item in nested.skipped}
    assert reasons == {
        "ILSVRC2012_val_00000009.JPEG": "listed in val.txt but not there",
        str(Path("validation_images") / "ILSVRC2012_val_00000003.JPEG"): "not listed in val.txt",
    }
    save(place / "other" / "ILSVRC2012_val_00000001.JPEG")
    with pytest.raises(BadInput, match=r"line 2: .* lies in 2 folders.*other/.*validation_images/"):
        load_dataset(f"imagenet-1k:{place}")


def test_class_ids_of_another_order_are_translated_by_synset_words(tmp_path):
    words = ["n02108422 bull mastiff", "n01440764 tench, Tinca tinca"]
    flat_imagenet(tmp_path, ["ILSVRC2012_val_00000001.JPEG 0", "ILSVRC2012_val_00000002.JPEG 1"], words)
    data = load_dataset("imagenet-1k", path=tmp_path)
    assert data.take(2, RGB).y.tolist() == [243, 0]
    # With the usual file the numbers are what they are.
    (tmp_path / "synset_words.txt").write_text("".join(f"{c.synset} {c.name}\n" for c in imagenet_classes()))
    assert load_dataset("imagenet-1k", path=tmp_path).take(2, RGB).y.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("lines", "words", "message"),
    [
        (["ILSVRC2012_val_00000001.JPEG 1000"], None, r"val\.txt, line 1: .*0 to 999"),
        (["ILSVRC2012_val_00000001.JPEG"], None, "line 1"),
        (["ILSVRC2012_val_00000001.JPEG x"], None, "line 1"),
        (["ILSVRC2012_val_00000001.JPEG 1", "ILSVRC2012_val_00000001.JPEG 2"], None, "line 2.*twice"),
        (["other.JPEG 1"], None, "None of the files"),
        (["ILSVRC2012_val_00000001.JPEG 0"], ["n99999999 unicorn"], r"synset_words\.txt, line 1.*n99999999"),
    ],
)
def test_lists_that_cannot_be_read_name_the_line(tmp_path, lines, words, message):
    with pytest.raises(BadInput, match=message):
        load_dataset(f"imagenet-1k:{flat_imagenet(tmp_path, lines, words)}")


@pytest.mark.parametrize(("names", "expected"), [(["n01440764", "n02108422"], [0, 243]), (["7", "12"], [7, 12])])
def test_imagenet_in_class_folders(tmp_path, names, expected):
    for name in names:
        save(tmp_path / name / "x.JPEG")
    save(tmp_path / "stray.png")
    data = load_dataset(f"imagenet-1k:{tmp_path}")
    assert data.take(9, RGB).y.tolist() == expected
    assert [item.reason for item in data.skipped] == ["lies outside the class folders"]


def test_other_folders_are_not_taken_for_imagenet(tmp_path):
    save(tmp_path / "n01440764" / "x.png")
    save(tmp_path / "cats" / "x.png")
    with pytest.raises(BadInput, match=re.escape(f"'cats' is neither. For other classes use image-folder:{tmp_path}")):
        load_dataset(f"imagenet-1k:{tmp_path}")
    with pytest.raises(BadInput, match="imagenet-1k:PATH"):
        load_dataset("imagenet-1k")


def test_a_worker_reads_the_files_of_its_own_samples_alone(tmp_path, monkeypatch):
    """The revision of a large folder is worked out once; then nothing of a file that has not changed is read for it."""
    from heatmark.datasets.photographs import image_files, known_files

    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(known_files, "WORTH", 3)
    for number in range(6):
        save(tmp_path / "pictures" / "a" / f"{number}.png", (number, 0, 0))
    read = []
    usual = image_files._beginning
    monkeypatch.setattr(image_files, "_beginning", lambda path: (read.append(path.name), usual(path))[1])
    monkeypatch.setattr(known_files.time, "time_ns", lambda: 2 * 10**18)
    first = folder_of(tmp_path / "pictures").revision
    assert len(read) == 6
    assert folder_of(tmp_path / "pictures").revision == first and len(read) == 6
    save(tmp_path / "pictures" / "a" / "3.png", (9, 0, 0))
    changed = folder_of(tmp_path / "pictures").revision
    assert changed != first and read[6:] == ["3.png"]
    for path in (tmp_path / "cache" / "files").iterdir():
        path.write_text("{not json")
    assert folder_of(tmp_path / "pictures").revision == changed and len(read) == 13
    monkeypatch.setattr(known_files, "WORTH", 100)
    assert folder_of(tmp_path / "pictures").revision == changed  # as if nothing were remembered


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path, monkeypatch):
    """It may change again within the same tick of the clock, with the same size."""
    from heatmark.datasets.photographs.known_files import beginnings

    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("heatmark.datasets.photographs.known_files.WORTH", 1)
    (tmp_path / "one").write_bytes(b"abc")
    ((size, first),) = beginnings([tmp_path / "one"], lambda path: b"abc")
    assert size == 3 and beginnings([tmp_path / "one"], lambda path: b"xyz") != [(3, first)]
    assert beginnings([tmp_path / "gone"], lambda path: b"") == [None]
