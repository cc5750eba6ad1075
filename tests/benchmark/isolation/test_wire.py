"""Messages: what is declared is checked before anything is read, and nothing is ever unpickled."""

from __future__ import annotations

import json
import os
import pickle
import struct
import threading
import time

import numpy as np
import pytest

from heatmark.benchmark.isolation.stand_ins import _accept
from heatmark.benchmark.isolation.wire import BadMessage, Channel, Ended, TooLate

MAGIC = b"heatmk\x01\n"


def anything(body, declared):
    """Take every message."""


def pair():
    """Two channels that talk to each other."""
    here, there = os.pipe(), os.pipe()
    return Channel(here[0], there[1]), Channel(there[0], here[1])


def hearing(data: bytes, accept=anything, seconds: float = 5):
    """Receive what somebody wrote into the pipe and then closed."""
    reading, writing = os.pipe()
    other = os.pipe()[1]
    threading.Thread(target=lambda: (os.write(writing, data), os.close(writing)), daemon=True).start()
    return Channel(reading, other).receive(accept, seconds)


def message(body, arrays=(), tail: bytes = b"") -> bytes:
    head = json.dumps({"body": body, "arrays": arrays}).encode()
    return MAGIC + struct.pack("<I", len(head)) + head + tail


def test_what_is_sent_is_received_to_the_bit():
    one, other = pair()
    arrays = [
        np.random.default_rng(0).normal(size=(3, 200, 200)).astype(np.float32),
        np.array([1, -(2**62)]),
        np.array([[True], [False]]),
        np.zeros((0, 4), np.float32),
        np.asarray(np.float64(np.pi)),
        np.arange(6, dtype=np.float32).reshape(2, 3).T,
    ]
    threading.Thread(target=one.send, args=({"ä": [1, None, "x\n"]}, arrays), daemon=True).start()
    found = other.receive(anything, 20)
    assert found.body == {"ä": [1, None, "x\n"]}
    for before, after in zip(arrays, found.arrays, strict=True):
        assert before.dtype == after.dtype and np.array_equal(before, after) and before.shape == after.shape


def test_a_pickle_is_refused_and_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "it ran"),)

    with pytest.raises(BadMessage, match="none of heatmark's"):
        hearing(pickle.dumps(Trap()) + b" " * 100)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (MAGIC + struct.pack("<I", 0xFFFFFFFF), "declares a header of 4294967295 bytes"),
        (MAGIC + struct.pack("<I", 4) + b"\xff\xfe{}", "cannot be read"),
        (MAGIC + struct.pack("<I", 60_000) + b"[" * 60_000, "cannot be read"),
        (message({}).replace(b"{}", b"[]"), "another form"),
        (message({}, [{"type": "object", "shape": [1]}]), "no type and shape"),
        (message({}, [{"type": "float32", "shape": [-1]}]), "no type and shape"),
        (message({}, [{"type": "float32", "shape": [True]}]), "no type and shape"),
        (message({}, [{"type": "float32", "shape": [1.5]}]), "no type and shape"),
        (message({}, [{"type": "float32", "shape": [1] * 9}]), "no type and shape"),
        (message({}, [{"type": ["float32"], "shape": [1]}]), "no type and shape"),
        (message({}, [{"type": "float32", "shape": "12"}]), "no type and shape"),
        (message({}, [{"type": "float32", "shape": [1]}] * 65), "another form"),
        (message({}, [{"kind": "float32"}]), "cannot be read"),
    ],
)
def test_a_message_of_another_form_is_refused(data, said):
    with pytest.raises(BadMessage, match=said):
        hearing(data)


def test_numbers_that_are_no_json_are_refused():
    head = b'{"body": {"passes": NaN}, "arrays": []}'
    with pytest.raises(BadMessage, match="cannot be read"):
        hearing(MAGIC + struct.pack("<I", len(head)) + head)


@pytest.mark.parametrize(
    "declared",
    [
        [],
        [{"type": "float64", "shape": [2, 8, 8]}],
        [{"type": "float32", "shape": [2, 8, 9]}],
        [{"type": "float32", "shape": [1 << 20, 1 << 20]}],
        [{"type": "float32", "shape": [2, 8, 8]}] * 2,
    ],
)
def test_maps_that_are_none_are_refused_before_they_are_read(declared):
    shapes = {(2, 8, 8), (2, 8, 8, 3)}
    began = time.monotonic()
    with pytest.raises(BadMessage):  # without a byte of the array behind it, which would be waited for
        hearing(message({"answer": {}}, declared), lambda *said: _accept(shapes, *said))
    assert time.monotonic() - began < 2


def test_a_failure_brings_no_arrays():
    with pytest.raises(BadMessage, match="nobody asked for"):
        hearing(
            message({"answer": {"failed": "x"}}, [{"type": "float32", "shape": [2]}]),
            lambda *said: _accept({(2,)}, *said),
        )


def test_a_message_that_ends_early_or_never_comes():
    with pytest.raises(Ended):
        hearing(message({"answer": {}}, [{"type": "float32", "shape": [4]}], b"1234"))
    one, _ = pair()
    with pytest.raises(TooLate):
        one.receive(anything, 0.2)
    with pytest.raises(TooLate):  # nobody reads it
        one.send({}, [np.zeros(1 << 22)], 0.5)


def test_what_watches_is_called_while_nothing_comes():
    class Enough(Exception):
        pass

    def watch():
        raise Enough

    reading, writing = os.pipe()
    with pytest.raises(Enough):
        Channel(reading, os.pipe()[1], watch).receive(anything, 30)
    os.close(writing)


@pytest.mark.parametrize("value", [object(), float("nan")])
def test_what_cannot_be_said_is_not_sent(value):
    one, _ = pair()
    with pytest.raises(BadMessage, match="cannot be said"):
        one.send({"a": value})
    with pytest.raises(BadMessage, match="do not travel"):
        one.send({}, [np.array(["text"])])
