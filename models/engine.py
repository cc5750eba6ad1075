"""The query engine: n samples x v variants of each, cut into chunks that suit the device.

Attribution methods and metrics share one inner shape: for every sample, make several variants of it on the device
(path points, noisy copies, masked copies, curve levels), send them forward or backward, and reduce. The engine fuses
the (sample, variant) pairs into full chunks regardless of sample borders, so memory is bounded by a chunk, whatever
the number of samples and variants, and results do not depend on the chunk.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

import numpy as np

from ..errors import Doubt, NetworkFailed, OutOfMemory
from .arrays.operations import Tensor, TensorOperations
from .chunk_size import ChunkChoice, ChunkTuner
from .gradients import OTHERWISE
from .interface import Interface
from .queries import Answer, Query, ScoreFunction, ScoreKind
from .reading.scores import target_score

Result = TypeVar("Result")

_STEPS = frozenset({"round", "rint", "floor", "ceil", "trunc", "sign", "heaviside"})
"""Operations whose gradient is zero wherever there is one, in both frameworks' spelling."""


@dataclass(frozen=True)
class Pairs:
    """The (sample, variant) pairs of one piece of work; ragged where samples have different numbers of variants."""

    samples: np.ndarray
    variants: np.ndarray
    """int64 (pairs,): the row of ``x`` and the number of its variant."""

    @classmethod
    def grid(cls, samples: int, variants: int) -> Pairs:
        """Return every sample with every variant, one variant of all samples after another.

        Variant by variant, so that what depends on the variant alone (a mask, a noise picture) is made once.
        """
        return cls(np.tile(np.arange(samples), variants), np.repeat(np.arange(variants), samples))

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class Chunk:
    """Some consecutive pairs, as a maker of variants sees them."""

    operations: TensorOperations
    """The array namespace."""
    samples: np.ndarray
    variants: np.ndarray
    """int64 (m,): which sample and which variant each row is."""
    rows: slice
    """Where the chunk stands among all pairs."""

    def of_samples(self, values: Tensor | np.ndarray) -> Tensor:
        """Return, for each row, the entry of its sample: (m, ...) from (n, ...)."""
        return self._take(values, self.samples)

    def background(self, values: Tensor) -> Tensor:
        """Return what stands behind each row: the entry of its sample, or the only entry there is, which broadcasts."""
        return values if int(values.shape[0]) == 1 else self.of_samples(values)

    def of_variants(self, values: Tensor | np.ndarray) -> Tensor:
        """Return, for each row, the entry of its variant: (m, ...) from (v, ...)."""
        return self._take(values, self.variants)

    def of_pairs(self, values: Tensor | np.ndarray) -> Tensor:
        """Return, for each row, the entry of its pair: (m, ...) from (pairs, ...)."""
        return self._take(values, np.arange(self.rows.start, self.rows.stop))

    def part(self, first: int, last: int) -> Chunk:
        """Return the chunk of rows ``first`` to ``last`` (exclusive) of this one."""
        begin = self.rows.start
        return Chunk(
            self.operations, self.samples[first:last], self.variants[first:last], slice(begin + first, begin + last)
        )

    def _take(self, values: Tensor | np.ndarray, indices: np.ndarray) -> Tensor:
        if isinstance(values, np.ndarray):
            return self.operations.from_numpy(values[indices])
        return self.operations.take(values, indices)


#: Makes the variants of one chunk: (the chunk's own samples (m, *input_shape), the chunk) to (m, *input_shape); for a
#: query with a replaced layer, to a pair of the inputs and that layer's output.
Maker = Callable[[Tensor, Chunk], Tensor | tuple[Tensor, Tensor]]

#: What is done to the gradients of a chunk before they are summed.
Transform = Callable[[Tensor, Chunk], Tensor]


def unchanged(x: Tensor, chunk: Chunk) -> Tensor:
    """Return the samples as they are: the maker for work without variants."""
    return x


class Engine:
    """Runs queries over (sample, variant) pairs in chunks of a size that it finds out by itself.

    Parameters
    ----------
    model
        The model to ask.
    chunk
        A fixed chunk size, or None to measure the best one on the work itself.
    """

    def __init__(self, model: Interface, chunk: int | None = None) -> None:
        self.model = model
        self.chunk = chunk
        self.on_rows: Callable[[int], None] | None = None
        self._tuners: dict[str, ChunkTuner] = {}

    def stream(
        self, query: Query, x: Tensor, target: Tensor | None, pairs: Pairs, make: Maker = unchanged
    ) -> Iterator[tuple[Chunk, Answer]]:
        """Yield the answer for every chunk of pairs, in order.

        Parameters
        ----------
        query
            What is asked.
        x
            (n, *input_shape) on the device.
        target
            (n,) int64 on the device, or None for a query without gradients.
        pairs
            The work.
        make
            Makes a chunk's variants.

        Raises
        ------
        OutOfMemory
            If not even one pair fits into memory.
        """
        answers = self.chunked(query, pairs, lambda chunk, layout: self._ask(query, x, target, chunk, make, layout))
        return self._watched(query, answers) if query.backward else answers

    def _watched(self, query: Query, answers: Iterator[tuple[Chunk, Answer]]) -> Iterator[tuple[Chunk, Answer]]:
        """Yield the answers, and warn, once for a network, where not one of their gradients is other than zero."""
        rows, zero = 0, True
        for chunk, answer in answers:
            rows, zero = rows + len(chunk.samples), zero and self._is_zero(answer)
            yield chunk, answer
        if rows and zero:
            self.model.once(("zero gradients", query.input_gradient), lambda: self._warn_of_zeros(query, rows))

    def _is_zero(self, answer: Answer) -> bool:
        """Return whether the gradient nearest to the input is zero everywhere."""
        gradients = (answer.input_gradient, *answer.layer_gradients, *answer.attention_gradients)
        gradient = next((item for item in gradients if item is not None), None)
        operations = self.model.operations
        return gradient is not None and not bool(operations.to_numpy(operations.max(operations.abs(gradient))))

    def _warn_of_zeros(self, query: Query, rows: int) -> bool:
        try:
            computed = self.model.computed()
        except NetworkFailed:  # it fails for the one row that looking asks for; the gradients stand all the same
            computed = ()
        steps = sorted({one.name for one in computed if one.name.lower().strip("_") in _STEPS})
        why = f"it computes {', '.join(steps)}" if steps else "it is saturated, or rounds, or the class depends on none"
        warnings.warn(
            f"All gradients of {self.model.name} ({query.in_words()}) are exactly zero, for all of {rows} inputs: "
            f"{why}. Maps made of them say nothing. {OTHERWISE}",
            Doubt,
            stacklevel=2,
        )
        return True

    def chunked(
        self, query: Query, pairs: Pairs, work: Callable[[Chunk, str], Result], kind: str | None = None
    ) -> Iterator[tuple[Chunk, Result]]:
        """Yield what ``work`` gives for every chunk of pairs, in order.

        Parameters
        ----------
        query
            What the work costs: its passes are counted as those of this query.
        pairs
            The work's pairs.
        work
            From a chunk and a memory format to anything.
        kind
            Of work that wants a chunk size of its own; by default ``forward`` or ``backward``, as the query is.

        Raises
        ------
        OutOfMemory
            If not even one pair fits into memory.
        """
        tuner = self._tuner(query, kind)
        start = 0
        while start < len(pairs):
            fixed = self.fixed
            size, layout = tuner.propose() if fixed is None else (fixed, tuner.layout)
            rows = slice(start, min(start + size, len(pairs)))
            chunk = Chunk(self.model.operations, pairs.samples[rows], pairs.variants[rows], rows)
            measuring = fixed is None and not tuner.settled and rows.stop - rows.start == size
            try:
                if measuring:
                    self.model.synchronise()
                began = perf_counter()
                answer = work(chunk, layout)
                if measuring:
                    self.model.synchronise()
                    tuner.record(size, layout, perf_counter() - began)
            except Exception as error:
                if not self.model.is_out_of_memory(error):
                    raise
                self._shrink(tuner, size, error)
                continue
            self.model.count(query, rows.stop - rows.start)
            start = rows.stop
            yield chunk, answer
            if self.on_rows is not None:
                self.on_rows(rows.stop - rows.start)

    def outputs(self, x: Tensor) -> Tensor:
        """Return the logits (n, classes)."""
        stream = self.stream(Query(), x, None, Pairs.grid(_length(x), 1))
        (logits,) = self.model.operations.collect(((answer.logits,) for _, answer in stream), _length(x))
        return logits

    def scores(
        self,
        x: Tensor,
        target: Tensor,
        pairs: Pairs,
        make: Maker = unchanged,
        score: ScoreKind | ScoreFunction = "logit",
        replaced: str | None = None,
    ) -> Tensor:
        """Return the score of every pair's variant for its sample's target, shape (pairs,)."""
        operations = self.model.operations
        parts = (
            (target_score(operations, answer.logits, chunk.of_samples(target), score, self.model.link),)
            for chunk, answer in self.stream(Query(replaced=replaced), x, None, pairs, make)
        )
        (scores,) = operations.collect(parts, len(pairs))
        return scores

    def summed_gradients(
        self,
        query: Query,
        x: Tensor,
        target: Tensor,
        pairs: Pairs,
        make: Maker = unchanged,
        transforms: Sequence[Transform | None] = (None,),
    ) -> tuple[Tensor, ...]:
        """Return each sample's sums of (transformed) input gradients over its variants, each of the shape of ``x``."""
        operations = self.model.operations
        totals = [operations.zeros(tuple(x.shape)) for _ in transforms]
        for chunk, answer in self.stream(query, x, target, pairs, make):
            for place, transform in enumerate(transforms):
                gradient = answer.input_gradient if transform is None else transform(answer.input_gradient, chunk)
                totals[place] = operations.add_at_rows(totals[place], chunk.samples, gradient)
        return tuple(totals)

    def chunk_sizes(self) -> dict[str, int]:
        """Return the chunk size in force for each kind of query used so far."""
        return {kind: choice.size for kind, choice in self.chunk_choices().items()}

    def chunk_choices(self) -> dict[str, ChunkChoice]:
        """Return, for each kind of query used so far, the chunk size in force, what was tried, and why it is that."""
        given = self.fixed
        return {
            kind: tuner.choice if given is None else ChunkChoice(given, tuner.layout)
            for kind, tuner in self._tuners.items()
        }

    @property
    def trials(self) -> tuple[tuple[str, int, int], ...]:
        """What changes whenever a chunk size is tried out: by kind of query the best, and how often one was timed."""
        return tuple((kind, tuner.best_size, tuner.timed) for kind, tuner in self._tuners.items())

    @property
    def fixed(self) -> int | None:
        """The chunk size that is given, or None where it is found out; one where rows must be asked for alone."""
        return 1 if self.model.rows_alone else self.chunk

    @property
    def settled(self) -> bool:
        """Whether no chunk size is being tried out any more."""
        return self.fixed is not None or all(tuner.settled for tuner in self._tuners.values())

    def _ask(self, query: Query, x: Tensor, target: Tensor | None, chunk: Chunk, make: Maker, layout: str) -> Answer:
        made = make(chunk.of_samples(x), chunk)
        variants, replacement = (made, None) if query.replaced is None else made
        targets = None if target is None else chunk.of_samples(target)
        return self.model.run(query, variants, targets, layout, replacement)

    def _tuner(self, query: Query, kind: str | None = None) -> ChunkTuner:
        kind = kind or ("backward" if query.backward else "forward")
        if kind not in self._tuners:
            self._tuners[kind] = ChunkTuner.for_input(
                self.model.input_shape,
                self.model.layouts,
                on_cpu=self.model.on_cpu,
                backward=query.backward,
                kept_inputs=self.model.kept_inputs,
            )
        return self._tuners[kind]

    def _shrink(self, tuner: ChunkTuner, size: int, error: BaseException) -> None:
        """Halve the chunk after memory ran out; give up at one."""
        if size <= 1:
            raise OutOfMemory(
                f"{self.model.name} on {self.model.device} ran out of memory on a single input of shape "
                f"{self.model.input_shape}. Use a smaller input size, another device, or precision='bf16'."
            ) from error
        self.model.operations.release_memory()
        if self.chunk is not None:
            self.chunk = size // 2
        tuner.limit(size // 2)


def _length(x: Tensor) -> int:
    return int(x.shape[0])
