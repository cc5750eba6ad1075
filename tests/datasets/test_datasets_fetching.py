"""Fetching: success, resume, wrong checksums and no network, against a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from functools import partial

import numpy as np
import pytest
from PIL import Image

from heatmark.datasets import fetching
from heatmark.datasets.base import ArrayFormat
from heatmark.datasets.fetching import FetchFailed, RemoteFile, fetch, fetch_all, url_of
from heatmark.datasets.photographs import imagenet_sample_1000
from heatmark.datasets.photographs.imagenet_sample_1000 import PublishedFile, manifest
from heatmark.datasets.registry import load_dataset
from heatmark.errors import BadInput

RGB = ArrayFormat((8, 8, 3))


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, notes what was asked for, and answers 503 as often as it is told to."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.server.failures:
            self.send_error(self.server.failures.pop())
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    (tmp_path / "published").mkdir()
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "published")))
    httpd.asked, httpd.failures = [], []
    httpd.url, httpd.published = f"http://127.0.0.1:{httpd.server_port}", tmp_path / "published"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def closed_url():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _quick_and_apart(monkeypatch, tmp_path):
    monkeypatch.setattr(fetching, "SECONDS_BEFORE_RETRY", 0.0)
    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def publish(server, name, data):
    (server.published / name).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def test_a_file_is_fetched_once(server, tmp_path):
    checksum = publish(server, "weights one.bin", b"x" * 100_000)
    for _ in range(2):
        path = fetch(url_of(server.url, "weights one.bin"), "w.bin", checksum, tmp_path / "made" / "here", False)
        assert path == tmp_path / "made" / "here" / "w.bin" and path.read_bytes() == b"x" * 100_000
    assert server.asked == ["/weights%20one.bin"]


def test_a_wrong_checksum_leaves_nothing_behind(server, tmp_path):
    publish(server, "a.bin", b"forged")
    with pytest.raises(FetchFailed, match=r"a\.bin.*SHA-256"):
        fetch(f"{server.url}/a.bin", "a.bin", "0" * 64, tmp_path / "out", False)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_corrupt_file_is_set_aside_and_fetched_again(server, tmp_path):
    checksum = publish(server, "a.bin", b"good")
    (tmp_path / "a.bin").write_bytes(b"bad!")
    with pytest.warns(RuntimeWarning, match=r"a\.bin is damaged \(another SHA-256\)\. It was moved to"):
        fetched = fetch(f"{server.url}/a.bin", "a.bin", checksum, tmp_path, False)
    assert fetched.read_bytes() == b"good"
    assert (tmp_path / "a.bin.corrupt").read_bytes() == b"bad!"


def test_without_a_network_the_file_the_url_and_the_folder_are_named(closed_url, tmp_path):
    with pytest.raises(FetchFailed) as caught:
        fetch(f"{closed_url}/a.bin", "a.bin", "0" * 64, tmp_path / "out", False)
    for part in ("a.bin", f"{closed_url}/a.bin", str(tmp_path / "out")):
        assert part in str(caught.value)
    # A file put there by hand is used.
    (tmp_path / "out" / "a.bin").write_bytes(b"by hand")
    checksum = hashlib.sha256(b"by hand").hexdigest()
    assert fetch(f"{closed_url}/a.bin", "a.bin", checksum, tmp_path / "out", False).read_bytes() == b"by hand"


def test_failures_that_pass_are_tried_again_and_refusals_are_not(server, tmp_path):
    checksum = publish(server, "a.bin", b"data")
    server.failures[:] = [503, 503]
    assert fetch(f"{server.url}/a.bin", "a.bin", checksum, tmp_path, False).read_bytes() == b"data"
    assert len(server.asked) == 3
    with pytest.raises(FetchFailed, match="404"):
        fetch(f"{server.url}/b.bin", "b.bin", checksum, tmp_path, False)
    assert len(server.asked) == 4
    server.failures[:] = [503] * 9
    with pytest.raises(FetchFailed, match="503"):
        fetch(f"{server.url}/a.bin", "c.bin", checksum, tmp_path, False)
    assert len(server.asked) == 7


def test_many_files_go_on_where_they_stopped(server, tmp_path):
    remote = [
        RemoteFile(name, f"{server.url}/{name}", publish(server, name, name.encode() * 50))
        for name in (f"f{number}" for number in range(30))
    ]
    (server.published / "f17").rename(server.published / "away")
    with pytest.raises(FetchFailed, match=r"f17.*404.*Still missing there: \d+ file"):
        fetch_all(remote, tmp_path / "out", "Fetching", False)
    there = {path.name for path in (tmp_path / "out").iterdir()}
    assert "f17" not in there and {f"f{number}" for number in range(17)} <= there
    (server.published / "away").rename(server.published / "f17")
    server.asked.clear()
    paths = fetch_all(remote, tmp_path / "out", "Fetching", False)
    assert [path.read_bytes() for path in paths] == [f"f{number}".encode() * 50 for number in range(30)]
    assert {path.removeprefix("/") for path in server.asked} == {f"f{number}" for number in range(30)} - there


def test_plain_lines_where_there_is_no_terminal(server, tmp_path, capsys):
    checksum = publish(server, "a.bin", b"x" * 200_000)
    fetch(f"{server.url}/a.bin", "a.bin", checksum, tmp_path, True)
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith("Fetching a.bin ...\n")
    assert "200000/200000 bytes" in shown.err and "\r" not in shown.err and "\x1b" not in shown.err


# imagenet-sample-1000, with a small manifest


@pytest.fixture
def published_pictures(server, monkeypatch):
    """Publish three pictures and put them in the place of the 1000."""
    files = []
    for number, name in enumerate(["n01440764_tench.JPEG", "n01443537_goldfish.JPEG", "n01484850_great white.JPEG"]):
        Image.new("RGB", (12, 8), (40 * number, 100, 200)).save(server.published / name)
        data = (server.published / name).read_bytes()
        files.append(PublishedFile(hashlib.sha256(data).hexdigest(), len(data), name))
    monkeypatch.setattr(imagenet_sample_1000, "manifest", lambda: tuple(files))
    return files


def test_the_sample_photographs_are_fetched_and_then_there(server, published_pictures, closed_url, tmp_path):
    data = load_dataset("imagenet-sample-1000", url=server.url, progress=False)
    assert data.folder == tmp_path / "cache" / "datasets" / "imagenet-sample-1000"
    batch = data.take(9, RGB)
    assert batch.ids[0] == "n01440764_tench" and batch.y.tolist() == [0, 1, 2] and len(server.asked) == 3
    again = load_dataset("imagenet-sample-1000", url=closed_url, progress=False)
    local = load_dataset(f"imagenet-sample-1000:{server.published}")
    assert data.revision == again.revision == local.revision
    assert np.array_equal(again.take(3, RGB).x, local.take(3, RGB).x)


def test_offline_the_first_sample_photograph_is_named(published_pictures, closed_url, tmp_path):
    with pytest.raises(FetchFailed) as caught:
        load_dataset("imagenet-sample-1000", url=closed_url, progress=False)
    folder = str(tmp_path / "cache" / "datasets" / "imagenet-sample-1000")
    for part in ("n01440764_tench.JPEG", closed_url, folder, "Still missing there: 3 file(s)"):
        assert part in str(caught.value)


def test_a_folder_of_sample_photographs_is_checked(server, published_pictures, tmp_path):
    folder = server.published
    (folder / published_pictures[0].name).unlink()
    forged = bytearray((folder / published_pictures[1].name).read_bytes())
    forged[-5] ^= 1
    (folder / published_pictures[1].name).write_bytes(bytes(forged))
    data = load_dataset("imagenet-sample-1000", path=folder)
    assert len(data) == 2 and [item.reason for item in data.skipped] == ["not there"]
    batch = data.take(2, RGB)
    assert batch.y.tolist() == [2]
    assert "SHA-256" in data.skipped[1].reason
    with pytest.raises(BadInput, match="none of the"):
        load_dataset("imagenet-sample-1000", path=tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist", "mnist[full=true]"])
def test_other_published_sets_offline(name, closed_url, tmp_path):
    with pytest.raises(FetchFailed) as caught:
        load_dataset(name, url=closed_url, progress=False)
    assert closed_url in str(caught.value) and str(tmp_path / "cache") in str(caught.value)


def test_the_manifest_is_that_of_1000_classes():
    files = manifest()
    assert len(files) == len({file.name for file in files}) == len({file.sha256 for file in files}) == 1000
    assert [file.name for file in files] == sorted(file.name for file in files)
    assert all(len(file.sha256) == 64 and file.size > 0 and file.name.endswith(".JPEG") for file in files)
