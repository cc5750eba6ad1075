"""What a GPU needs and a processor can check: TensorFloat-32 is restored, lack of memory told, cards told apart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from networks import FRAMEWORKS

from heatmark.benchmark.timing import machine as runtime_machine
from heatmark.errors import BadInput
from heatmark.models.arrays import tensor_float_32 as module
from heatmark.models.arrays.tensor_float_32 import set_tensor_float_32, tensor_float_32, without_tensor_float_32
from heatmark.models.devices import resolved_device


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("allowed", [True, False])
def test_tensor_float_32_is_restored(framework, allowed):
    pytest.importorskip(framework)
    before = tensor_float_32(framework)
    try:
        set_tensor_float_32(framework, allowed)
        assert tensor_float_32(framework) is allowed
        with pytest.raises(KeyError), without_tensor_float_32(framework):
            assert not tensor_float_32(framework)
            raise KeyError
        assert tensor_float_32(framework) is allowed
    finally:
        set_tensor_float_32(framework, before)


def test_the_newer_switches_of_pytorch_are_left_as_the_user_set_them():
    torch = pytest.importorskip("torch")
    if not hasattr(torch.backends.cudnn, "conv"):
        pytest.skip("a PyTorch before 2.9, with the older switches only: the next test has these")
    owners = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul)
    before = [owner.fp32_precision for owner in owners]
    try:
        torch.backends.cudnn.conv.fp32_precision = "ieee"  # the older switches can no longer be read
        torch.backends.cudnn.rnn.fp32_precision = "tf32"
        with without_tensor_float_32("torch"):
            assert not tensor_float_32("torch")
        assert [owner.fp32_precision for owner in owners] == ["ieee", "tf32", before[2]]
    finally:
        for owner, value in zip(owners, before, strict=True):
            owner.fp32_precision = value


def test_the_older_switches_of_pytorch_serve_where_there_are_no_newer(monkeypatch):
    matmul = SimpleNamespace(allow_tf32=False)
    cudnn = SimpleNamespace(allow_tf32=True)
    older = SimpleNamespace(backends=SimpleNamespace(cudnn=cudnn, cuda=SimpleNamespace(matmul=matmul)))
    monkeypatch.setattr(module, "imported", lambda framework: older)
    with without_tensor_float_32("torch"):
        assert not tensor_float_32("torch")
    assert cudnn.allow_tf32 and not matmul.allow_tf32
    set_tensor_float_32("torch", True)
    assert cudnn.allow_tf32 and matmul.allow_tf32


def test_lack_of_memory_is_told_from_other_errors(model):
    torch = pytest.importorskip("torch")
    subject = model("plain", "torch")
    assert subject.is_out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory."))
    assert subject.is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    assert not subject.is_out_of_memory(RuntimeError("shapes do not match"))


def test_lack_of_memory_in_tensorflow(model):
    errors = pytest.importorskip("tensorflow").errors
    subject = model("plain", "tensorflow")
    assert subject.is_out_of_memory(errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"))
    assert subject.is_out_of_memory(errors.InternalError(None, None, "Dst tensor is not initialized."))
    assert subject.is_out_of_memory(errors.NotFoundError(None, None, "No algorithm worked!"))
    assert not subject.is_out_of_memory(errors.InvalidArgumentError(None, None, "Incompatible shapes"))
    assert not subject.is_out_of_memory(RuntimeError("out of memory"))


@pytest.mark.parametrize(
    ("visible", "name"), [("", "second"), ("2,0", "first"), ("1", "second"), ("GPU-5a,GPU-7", "second")]
)
def test_cards_are_told_apart(monkeypatch, visible, name):
    monkeypatch.setattr(runtime_machine, "gpu_facts", lambda: [{"name": word} for word in ("first", "second", "third")])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert runtime_machine._gpu_of(SimpleNamespace(device="cuda:1", on_cpu=False)) == {"name": name}
    assert runtime_machine._gpu_of(SimpleNamespace(device="/CPU:0", on_cpu=True)) is None


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_devices_are_read_in_every_spelling(framework):
    pytest.importorskip(framework)
    processor = {"torch": "cpu", "tensorflow": "/CPU:0"}[framework]
    assert {resolved_device(framework, name) for name in ("cpu", "CPU:0", "/device:CPU:0")} == {processor}
    with pytest.raises(BadInput, match="There is no device '/device:GPU:77'"):
        resolved_device(framework, "/device:GPU:77")
