"""The sparse systems of linear imputation, for all pictures of a chunk together, by a few multigrid cycles.

Twelve times the system says of each removed position: 2 (v - n) summed over the neighbours n that share a side, plus
(v - n) over those that share a corner, is zero. It is the equilibrium of a grid of springs whose kept positions are
pinned. Replacing every removed value by the mean of its neighbours (Jacobi) shrinks rough errors to a third in each
sweep, because the weights suit it, but smooth ones hardly; those are corrected on grids of half the size, and there
again, down to a grid so small that it is solved by an inverse.

A coarse grid has the springs of the fine one, weakened by how much of a position is free (``t_i t_j`` between i and
j), and one spring from each position to the pinned ones: what the fine grid's springs amount to if the error varies
linearly between the coarse positions. A lone pinned position would be overrated by that, as the true error drops to
zero only close to it, so the pinning springs are softened from grid to grid, like resistances in series.

Stacks are (1, height, width, pictures), the channels of all pictures behind one another, which makes neighbours a
convolution of one picture with many channels, each for itself: the fastest form in both frameworks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ...models.arrays.operations import Tensor, TensorOperations

Shape: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Cycle:
    """One round on a grid: a sweep, the correction from the next coarser grid, and sweeps after it."""

    correction: float = 1.0
    """What the correction is multiplied with."""
    sweeps: int = 1
    """Sweeps after it."""
    coarser: tuple[Cycle, ...] = ()
    """The cycles that the next coarser grid goes through for the correction; none stand for the schedule's."""


@dataclass(frozen=True)
class Schedule:
    """How often what is done."""

    finest: tuple[Cycle, ...]
    """The cycles on the pictures' own grid."""
    coarser: tuple[Cycle, ...]
    """Those on coarser grids for which a cycle does not say others."""
    softening: tuple[float, ...]
    """The compliance added to the pinning springs at each coarser grid, the last for all that follow."""


EVEN = Schedule(
    finest=(
        Cycle(1.137, sweeps=0, coarser=(Cycle(1.246), Cycle(1.049))),
        Cycle(1.009, sweeps=1, coarser=(Cycle(0.957), Cycle(0.989))),
        Cycle(1.556, sweeps=2, coarser=(Cycle(0.963),)),
    ),
    coarser=(Cycle(),),
    softening=(0.0263, 0.172, 0.235),
)
"""For pictures whose sides can be halved at least three times without a rest. Unequal corrections make a polynomial of
the cycles that is small for all the errors that a cycle leaves, which saves sweeps; found by a search over photographs,
noise, attribution maps and random masks of many kinds with known solutions."""
_TWICE = Cycle(sweeps=2, coarser=(Cycle(), Cycle()))
ODD = Schedule((_TWICE,) * 3, (Cycle(sweeps=2),), (0.3,))
"""For all other pictures: their coarse grids end beyond the border and describe them less well."""
THIN = Schedule((_TWICE,) * 6, (Cycle(sweeps=2),), (0.3,))
"""For pictures narrower than 20, described less well still; they are small, so more cycles it is."""
SOLVED = 64
"""A grid of at most so many positions is solved by the inverse of its matrix."""
REPEATED = 2
"""From this grid on a stack's masks are repeated for the channels before anything is computed of them: on small grids
the calls are what takes time, not the numbers."""
_TINY = 1e-6
_PINNED_ANYWAY = 1e-4


@dataclass(frozen=True)
class Grid:
    """What depends on a grid's shape alone."""

    shape: Shape
    """Height and width."""
    neighbours: Tensor
    """The kernel of the springs."""
    spreading: Tensor
    """The kernel that sums residuals for the next coarser grid; the transpose of linear interpolation."""
    border: Tensor
    """(1, height, width, 1): what that kernel misses at the border, where interpolation has nothing to go between."""
    strength: float
    """What becomes of the sum of a coarse position's freedom: springs twice as long are half as strong, twice as wide
    twice as strong.
    """


@dataclass(frozen=True)
class Level:
    """A grid's system: ``(pinning + freedom * S(freedom)) v - freedom * S(freedom * v) = residual``, S the neighbours.

    Kept in the unknown ``freedom * v``, in which a sweep is one convolution and one multiplication.
    """

    grid: Grid
    """Its shape's constants."""
    sweep: Tensor
    """What the sum over neighbours is multiplied with."""
    freedom: Tensor
    spread: Tensor
    """What corrections from the coarser grid, and residuals for it, are multiplied with."""
    enter: Tensor | None = None
    leave: Tensor | None = None
    """From a residual to the start of a sweep; from the unknown to the correction."""


def relaxed(operations: TensorOperations, known: Tensor, kept: Tensor, channels: int) -> Tensor:
    """Return the solution at the removed positions, zero at the kept ones.

    Parameters
    ----------
    operations
        The array namespace.
    known
        float32 (1, height, width, channels x m): the values of the kept positions, zero elsewhere.
    kept
        float32 (1, height, width, m): 1 where a position is kept, 0 where it is removed.
    channels
        The number of channels.
    """
    system = _System.of(operations, known, kept, channels)
    finest = system.levels[0]
    start = finest.sweep * operations.correlate_stack(known, finest.grid.neighbours)
    return system.solved(0, start, system.schedule.finest)


@dataclass(frozen=True)
class _System:
    """The levels from fine to coarse; ``inverse`` (m, positions, positions) solves the grid below the last of them."""

    operations: TensorOperations
    schedule: Schedule
    levels: tuple[Level, ...]
    inverse: Tensor
    channels: int

    @classmethod
    def of(cls, operations: TensorOperations, known: Tensor, kept: Tensor, channels: int) -> _System:
        """Build the systems of all grids from the mask; ``known`` tells only how many pictures a stack has."""

        def for_channels(*masks: Tensor) -> list[Tensor]:
            return [operations.concat([mask] * channels, axis=3) for mask in masks]

        shape = (int(kept.shape[1]), int(kept.shape[2]))
        grid = _grid(operations, shape, kept)
        counts = _sums_over_neighbours(np.ones((*shape, 1), np.float32), _neighbours(shape))
        free = 1.0 - kept
        links = operations.correlate_stack(free, grid.neighbours)
        sweep = free * operations.from_numpy(1.0 / np.maximum(counts, _TINY))[None]
        # One sweep from 1: the error next to a kept position is smaller than further away.
        freedom = sweep * links
        spread = freedom * grid.border
        pinning = spread * (links - operations.correlate_stack(freedom, grid.neighbours))
        schedule = _schedule(shape)
        softening = schedule.softening
        levels = [Level(_grid(operations, shape, known), *for_channels(sweep, freedom, spread))]
        freedom, pinning = _spread(operations, grid, spread, pinning)
        masks = True
        while True:
            compliance = softening[min(len(levels), len(softening)) - 1] / 12.0
            pinning = pinning * freedom / (freedom + compliance * pinning + _TINY**2)
            grid = _grid(operations, _halved(grid.shape), kept if masks else known)
            diagonal = pinning + freedom * operations.correlate_stack(freedom, grid.neighbours) + _TINY
            if math.prod(grid.shape) <= SOLVED:
                inverse = _inverse(operations, grid, freedom, diagonal, 1 if masks else channels)
                return cls(operations, schedule, tuple(levels), inverse, channels)
            enter = freedom / diagonal
            leave = 1.0 / operations.maximum(freedom, _TINY)
            spread = freedom * grid.border
            tensors = [freedom * enter, freedom, spread, enter, leave]
            if masks:
                levels.append(Level(_grid(operations, grid.shape, known), *for_channels(*tensors)))
            else:
                levels.append(Level(grid, *tensors))
            freedom, pinning = _spread(operations, grid, spread, pinning * grid.border)
            if masks and len(levels) == REPEATED:
                masks = False
                freedom, pinning = for_channels(freedom, pinning)

    def solved(self, number: int, start: Tensor, cycles: tuple[Cycle, ...]) -> Tensor:
        """Return level ``number``'s unknown after cycles, from the first sweep's result ``start``."""
        level = self.levels[number]
        unknown = None
        for cycle in cycles:
            if unknown is None:
                swept, change, factor = start, start, cycle.correction
            else:
                swept = self._swept(level, start, unknown)
                # The other way round, as that needs no further tensor.
                unknown -= swept
                change, factor = unknown, -cycle.correction
            # After a sweep, what a position lacks is what its neighbours have just changed by.
            residual = self._residual(level, change, factor)
            # Not to be held in memory meanwhile.
            unknown = change = None
            correction = self._corrected(number, residual, cycle.coarser or self.schedule.coarser)
            correction = self.operations.enlarge_stack(correction, level.grid.shape)
            unknown = self.operations.multiply_add(swept, level.freedom, correction)
            for _ in range(cycle.sweeps):
                unknown = self._swept(level, start, unknown)
        return unknown

    def _residual(self, level: Level, change: Tensor, factor: float) -> Tensor:
        """Return the residual for the next coarser grid, times a factor, from what a sweep has changed."""
        sums = self.operations.correlate_stack(change, level.grid.neighbours)
        sums *= level.spread
        return self.operations.correlate_stack(sums, factor * level.grid.spreading, 2)

    def _swept(self, level: Level, start: Tensor, unknown: Tensor) -> Tensor:
        sums = self.operations.correlate_stack(unknown, level.grid.neighbours)
        return self.operations.multiply_add(start, level.sweep, sums)

    def _corrected(self, number: int, residual: Tensor, cycles: tuple[Cycle, ...]) -> Tensor:
        """Return the correction on the grid below level ``number``."""
        if number + 1 < len(self.levels):
            level = self.levels[number + 1]
            residual *= level.enter
            correction = self.solved(number + 1, residual, cycles)
            correction *= level.leave
            return correction
        height, width = int(residual.shape[1]), int(residual.shape[2])
        columns = self.operations.reshape(residual, (height * width, self.channels, -1))
        solution = self.operations.einsum("mij,jcm->icm", self.inverse, columns)
        return self.operations.reshape(solution, (1, height, width, -1))


def _schedule(shape: Shape) -> Schedule:
    if min(shape) < 20:
        return THIN
    return EVEN if all(size % 8 == 0 for size in shape) else ODD


def _inverse(operations: TensorOperations, grid: Grid, freedom: Tensor, diagonal: Tensor, channels: int) -> Tensor:
    """Return the inverse of each picture's matrix on a small grid, (m, positions, positions)."""
    positions = math.prod(grid.shape)
    freedom, diagonal = (
        operations.transpose(operations.reshape(tensor, (positions, channels, -1))[:, 0], (1, 0))[:, :, None]
        for tensor in (freedom, diagonal)
    )
    units = np.eye(positions, dtype=np.float32)
    sums = _sums_over_neighbours(units.reshape(*grid.shape, positions), _neighbours(grid.shape))
    springs = operations.from_numpy(sums.reshape(positions, positions))
    # Where nothing is kept the matrix is singular, and its residuals are zero.
    diagonal = (diagonal + _PINNED_ANYWAY) * operations.from_numpy(units)
    return operations.inverse(diagonal - freedom * springs * operations.transpose(freedom, (0, 2, 1)))


def _spread(operations: TensorOperations, grid: Grid, spread: Tensor, pinning: Tensor) -> tuple[Tensor, Tensor]:
    """Return the next coarser grid's freedom, and its springs to pinned positions before they are softened."""
    freedom = grid.strength * operations.correlate_stack(spread, grid.spreading, 2)
    return freedom, operations.correlate_stack(pinning, grid.spreading, 2)


def _grid(operations: TensorOperations, shape: Shape, stack: Tensor) -> Grid:
    return Grid(
        shape,
        operations.stack_kernel(_neighbours(shape), stack),
        operations.stack_kernel(np.outer(*(_spreading(size) for size in shape)), stack),
        operations.from_numpy(np.outer(*(_border(size) for size in shape))[None, :, :, None]),
        _strength(shape),
    )


def _halved(shape: Shape) -> Shape:
    return (shape[0] + 1) // 2, (shape[1] + 1) // 2


def _neighbours(shape: Shape) -> np.ndarray:
    """Return the springs' kernel. In a row of positions each is its own neighbour too: else sweeps would not smooth."""
    own = 2.0 if (shape[0] == 1) != (shape[1] == 1) else 0.0
    return np.array([[1, 2, 1], [2, own, 2], [1, 2, 1]], np.float32)


def _spreading(size: int) -> np.ndarray:
    return np.ones(1, np.float32) if size == 1 else np.array([0.25, 0.75, 0.75, 0.25], np.float32)


def _border(size: int) -> np.ndarray:
    """Return what makes the outermost positions count fully: interpolation takes them from one coarse position."""
    factors = np.ones(size, np.float32)
    if size > 1:
        factors[0] = 4 / 3
        factors[-1] = 4 / 3 if size % 2 == 0 else 1.0
    return factors


def _strength(shape: Shape) -> float:
    """Return the factor from the sum of a coarse position's freedom to its own.

    Across ``size`` positions 4 size - 2 springs run side by side (those that share a corner are missing at both
    borders); half as many positions shall have half of them, although they have more border.
    """
    factor = 1.0
    for size in shape:
        sides = 0.5 if size == 1 else (4 * size - 2) / (4 * size - 4) if size % 2 == 0 else 1.0
        factor *= math.sqrt(sides) * (1.0 if size == 1 else 0.5)
    return factor


def _sums_over_neighbours(stack: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlate each picture of a NumPy stack (height, width, pictures) with a 3 x 3 kernel."""
    height, width = stack.shape[:2]
    padded = np.pad(stack, ((1, 1), (1, 1), (0, 0)))
    total = np.zeros_like(stack)
    for row in range(3):
        for column in range(3):
            total += kernel[row, column] * padded[row : row + height, column : column + width]
    return total
