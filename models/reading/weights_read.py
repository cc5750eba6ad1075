"""What a user's builder read into its network, and what of it did not fit.

``load_state_dict(..., strict=False)`` and ``load_weights(..., skip_mismatch=True)`` pass over what does not fit: names
that begin with ``module.``, a head of other classes. What was passed over stays as it was drawn by chance, and the
network answers all the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np

_OF_TRAINING = ".num_batches_tracked"
"""The end of the names of what counts batches while a network is trained, and is nothing to its answers."""

_NAMED = 3


@dataclass(frozen=True)
class WeightsRead:
    """What one call that read weights came to."""

    how: str
    """The call, ``load_state_dict`` or ``load_weights``."""
    tensors: int
    """So many tensors the network has of which it can be told whether they were filled."""
    kept: tuple[str, ...] = ()
    """Those that it left as they were."""
    left_over: tuple[str, ...] = ()
    """What it was given and found no place for, as far as that is known."""

    @property
    def nothing(self) -> bool:
        """Whether nothing at all was read."""
        return 0 < self.tensors == len(self.kept)

    @property
    def text(self) -> str:
        """What it came to, in words."""
        if not (self.kept or self.left_over):
            return f"{self.how} filled all of its {self.tensors} tensors"
        parts = (
            [f"left {len(self.kept)} of {self.tensors} tensors as they were ({_some(self.kept)})"] if self.kept else []
        )
        if self.left_over:
            parts.append(f"found no place for {len(self.left_over)} that it was given ({_some(self.left_over)})")
        return f"{self.how} {' and '.join(parts)}"


@contextmanager
def weights_watched() -> Iterator[Callable[[], tuple[WeightsRead, ...]]]:
    """Note what is read into networks of the frameworks that are imported.

    What it yields returns what was read so far; of two calls for one network the last counts.
    """
    found: dict[int, tuple[Any, WeightsRead]] = {}  # the network is kept, so that no other gets its number
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    with ExitStack() as stack:
        if torch is not None:
            stack.enter_context(_replaced(torch.nn.Module, "load_state_dict", lambda call: _torch(call, found)))
        if keras is not None:
            stack.enter_context(_replaced(keras.Model, "load_weights", lambda call: _keras(call, found)))
        yield lambda: tuple(read for _, read in found.values())


def _torch(call: Callable[..., Any], found: dict[int, tuple[Any, WeightsRead]]) -> Callable[..., Any]:
    @wraps(call)
    def load_state_dict(net: Any, *args: Any, **options: Any) -> Any:
        said = call(net, *args, **options)
        names = [name for name in net.state_dict() if not name.endswith(_OF_TRAINING)]
        kept = tuple(name for name in said.missing_keys if not name.endswith(_OF_TRAINING))
        found[id(net)] = net, WeightsRead("load_state_dict", len(names), kept, tuple(said.unexpected_keys))
        return said

    return load_state_dict


def _keras(call: Callable[..., Any], found: dict[int, tuple[Any, WeightsRead]]) -> Callable[..., Any]:
    @wraps(call)
    def load_weights(net: Any, *args: Any, **options: Any) -> Any:
        before = [weight.numpy().copy() for weight in net.weights]
        said = call(net, *args, **options)
        # What does not fit is refused unless it is told to pass over it, so only then is something left as it was. Of
        # constants, such as new biases, nobody can tell.
        pairs = list(zip(net.weights, before, strict=False))
        if len(args) > 1 or any(options.values()):
            pairs = [(weight, value) for weight, value in pairs if value.size > 1 and np.ptp(value) > 0]
            same = tuple(weight.path for weight, value in pairs if np.array_equal(weight.numpy(), value))
        else:
            same = ()
        found[id(net)] = net, WeightsRead("load_weights", len(pairs), same)
        return said

    return load_weights


@contextmanager
def _replaced(owner: type, name: str, made: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    own, call = vars(owner).get(name), getattr(owner, name)
    setattr(owner, name, made(call))
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
