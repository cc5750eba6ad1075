"""ROAD's linear imputation: against the exact sparse solution, and what follows from its definition."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from array_namespaces import operations_of
from scipy.ndimage import gaussian_filter
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve

from heatmark.errors import BadInput, NotApplicable
from heatmark.metrics.perturbing.imputation import linearly_imputed
from heatmark.models.arrays.operations import TensorOperations

SHAPE = (48, 37)
Imputer = Callable[[np.ndarray, np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def imputer(operations: TensorOperations) -> Imputer:
    return imputer_of(operations)


def imputer_of(operations: TensorOperations) -> Imputer:
    def impute(x: np.ndarray, kept: np.ndarray) -> np.ndarray:
        return operations.to_numpy(linearly_imputed(operations, operations.from_numpy(x), operations.from_numpy(kept)))

    return impute


def exact(x: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Solve the definition position by position: (channels, *spatial) float64 from the same and a mask."""
    shape = kept.shape
    known = np.where(kept, x, 0.0).reshape(len(x), -1).T.astype(np.float64)
    entries = []
    for row, place in enumerate(np.ndindex(shape)):
        entries.append((row, row, 1.0))
        if kept[place]:
            continue
        weights = {}
        for offset in itertools.product((-1, 0, 1), repeat=len(shape)):
            near = tuple(map(sum, zip(place, offset, strict=True)))
            moved = sum(map(abs, offset))
            if moved and all(0 <= at < size for at, size in zip(near, shape, strict=True)):
                weights[near] = 1 / 2 if len(shape) == 1 else {1: 1 / 6, 2: 1 / 12}[moved]
        total = sum(weights.values())
        entries += [(row, np.ravel_multi_index(near, shape), -weight / total) for near, weight in weights.items()]
    rows, columns, values = zip(*entries, strict=True)
    solution: np.ndarray = spsolve(csc_matrix((values, (rows, columns)), (kept.size, kept.size)), known)
    return solution.reshape(known.shape).T.reshape(x.shape)


def removing(scores: np.ndarray, share: float) -> np.ndarray:
    """Return the mask that removes a share of the positions, those of the highest scores."""
    kept = np.ones(scores.size, bool)
    kept[np.argsort(-scores, axis=None)[: round(share * scores.size)]] = False
    return kept.reshape(scores.shape)


def all_kinds_of_masks() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    noise = random.random(SHAPE)
    hills = gaussian_filter(random.standard_normal(SHAPE), 4)
    row, column = np.indices(SHAPE)
    from_corner = np.hypot(row, column)
    masks = {f"scattered {share}": removing(noise, share) for share in (0.01, 0.5, 0.9, 0.95, 0.99)}
    masks |= {f"blobs {share}": removing(hills, share) for share in (0.1, 0.5, 0.9, 0.99)}
    masks |= {
        "a hole at the border": removing(-from_corner, 0.5),
        "a small rest in the corner": removing(from_corner, 0.95),
        "a small rest inside": removing(np.hypot(row - 20, column - 12), 0.97),
        "every fourth row removed": row % 4 != 0,
        "every eighth column kept": column % 8 == 3,
        "slanting lines kept": (row + 2 * column) % 11 == 0,
        "chequered": (row // 8 + column // 8) % 2 == 0,
        "one of four kept": (row % 2 == 0) & (column % 2 == 0),
        "two positions kept": (row * column == 1) | (row * column == 40 * 30),
        "a maze": (row % 6 == 0) & ((column + 10 * (row // 6 % 2)) % 37 > 2),
        "one position removed": (row != 20) | (column != 20),
    }
    return masks


def noise_pictures(number: int, channels: int = 2, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(1).random((number, channels, *shape), dtype=np.float32)


def test_every_kind_of_mask_agrees_with_the_exact_solution(imputer: Imputer) -> None:
    masks = all_kinds_of_masks()
    x = noise_pictures(len(masks))
    imputed = imputer(x, np.stack(list(masks.values())))
    assert imputed.dtype == np.float32
    for number, (name, kept) in enumerate(masks.items()):
        assert np.abs(imputed[number] - exact(x[number], kept)).max() <= 1e-3, name


def test_smooth_pictures_agree_better(imputer: Imputer) -> None:
    masks = all_kinds_of_masks()
    x = gaussian_filter(noise_pictures(len(masks)), (0, 0, 3, 3))
    x = (x - x.min()) / (x.max() - x.min())
    imputed = imputer(x, np.stack(list(masks.values())))
    errors = [np.abs(imputed[number] - exact(x[number], kept)).max() for number, kept in enumerate(masks.values())]
    assert max(errors) <= 1e-3
    assert np.median(errors) <= 1e-4


def test_kept_positions_stay_as_they_are(imputer: Imputer) -> None:
    kept = np.stack(list(all_kinds_of_masks().values()))
    x = noise_pictures(len(kept))
    before = x.copy()
    imputed = imputer(x, kept)
    everywhere = np.broadcast_to(kept[:, None], x.shape)
    assert np.array_equal(imputed[everywhere], x[everywhere])
    assert (imputed[~everywhere] != x[~everywhere]).mean() > 0.99
    assert np.array_equal(x, before)


def test_larger_pictures_with_little_left() -> None:
    shape = (128, 96)
    random = np.random.default_rng(7)
    kept = np.stack([
        removing(random.random(shape), 0.99),
        removing(gaussian_filter(random.standard_normal(shape), 2), 0.99),
        removing(np.hypot(*np.indices(shape)), 0.99),
    ])  # fmt: skip
    x = noise_pictures(3, 1, shape)
    imputed = imputer_of(operations_of("torch"))(x, kept)
    for number in range(3):
        assert np.abs(imputed[number] - exact(x[number], kept[number])).max() <= 1e-3


@pytest.mark.parametrize("shape", [(224, 224), (224, 17), (300, 4)])
def test_nothing_lies_outside_of_what_is_kept(shape: tuple[int, int]) -> None:
    """A mean of neighbours is between them: cycles that diverge, as at a forgotten border, show at once."""
    bottom, right = shape[0] - 1, shape[1] - 1
    pairs = [((0, 0), (1, 1)), ((0, 0), (bottom, right)), ((bottom, 0), (bottom, 2)), ((0, right), (shape[0] // 2, 0))]
    kept = np.zeros((len(pairs), *shape), bool)
    x = np.full((len(pairs), 1, *shape), 0.5, np.float32)
    for number, (dark, light) in enumerate(pairs):
        kept[(number, *dark)] = kept[(number, *light)] = True
        x[(number, 0, *dark)], x[(number, 0, *light)] = 0.0, 1.0
    imputed = imputer_of(operations_of("torch"))(x, kept)
    assert imputed.min() >= -1e-3
    assert imputed.max() <= 1 + 1e-3


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 30), (30, 1), (5, 64), (100, 8)])
def test_small_and_narrow_pictures(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(2)
    kept = np.stack([removing(random.random(shape), share) for share in (0.3, 0.6, 0.9)])
    kept[:, -1, -1] = True
    x = noise_pictures(3, shape=shape)
    imputed = imputer_of(operations_of("torch"))(x, kept)
    for number in range(3):
        assert np.abs(imputed[number] - exact(x[number], kept[number])).max() <= 1e-3


def test_series_are_solved_exactly(imputer: Imputer) -> None:
    random = np.random.default_rng(3)
    place = np.arange(61)
    kept = np.stack([
        *(removing(random.random(61), share) for share in (0.02, 0.5, 0.9)),
        *(place == number for number in (0, 30, 60)), (place == 3) | (place == 50), place % 7 == 2, place < 5,
        place > 55,
    ])  # fmt: skip
    x = noise_pictures(len(kept), 3, (61,))
    imputed = imputer(x, kept)
    for number in range(len(kept)):
        assert np.abs(imputed[number] - exact(x[number], kept[number])).max() <= 1e-6
    everywhere = np.broadcast_to(kept[:, None], x.shape)
    assert np.array_equal(imputed[everywhere], x[everywhere])


def test_a_linear_ramp_is_reproduced(imputer: Imputer) -> None:
    row, column = np.indices(SHAPE)
    ramp = ((row + 2 * column) / (row + 2 * column).max()).astype(np.float32)
    inside = (row > 0) & (row < SHAPE[0] - 1) & (column > 0) & (column < SHAPE[1] - 1)
    scattered = ~(inside & ~removing(np.random.default_rng(4).random(SHAPE), 0.7))
    kept = np.stack([~inside, scattered])
    assert np.abs(imputer(np.stack([ramp[None]] * 2), kept) - ramp).max() <= 1e-3
    line = np.linspace(0, 1, 61, dtype=np.float32)
    ends = (np.arange(61) == 0) | (np.arange(61) == 60)
    assert np.abs(imputer(line[None, None], ends[None]) - line).max() <= 1e-6


def test_neighbours_beyond_the_border_do_not_count(imputer: Imputer) -> None:
    x = np.array([[0.3, 0.9], [0.2, 0.7]], np.float32)[None, None]
    kept = np.array([[[False, True], [True, True]]])
    assert imputer(x, kept)[0, 0, 0, 0] == pytest.approx((2 * 0.9 + 2 * 0.2 + 0.7) / 5, abs=1e-5)


def test_nothing_removed_and_everything_removed(imputer: Imputer) -> None:
    for shape in (SHAPE, (61,)):
        x = noise_pictures(3, 2, shape)
        kept = np.ones((3, *shape), bool)
        assert np.array_equal(imputer(x, kept), x)
        kept[1] = False
        imputed = imputer(x, kept)
        means = x[1].reshape(2, -1).mean(axis=1).reshape(2, *[1] * len(shape))
        assert np.abs(imputed[1] - means).max() <= 1e-6
        assert np.array_equal(imputed[[0, 2]], x[[0, 2]])


def test_one_kept_position_spreads_everywhere(imputer: Imputer) -> None:
    for shape, place in ((SHAPE, (0, 0)), (SHAPE, (20, 11)), ((61,), (60,))):
        x = noise_pictures(1, 2, shape)
        kept = np.zeros((1, *shape), bool)
        kept[(0, *place)] = True
        value = x[(0, slice(None), *place)].reshape(2, *[1] * len(shape))
        assert np.abs(imputer(x, kept) - value).max() <= 1e-6


def test_a_picture_does_not_depend_on_its_chunk(imputer: Imputer) -> None:
    kept = np.stack(list(all_kinds_of_masks().values()))
    x = noise_pictures(len(kept))
    together = imputer(x, kept)
    for number in range(0, len(kept), 5):
        alone = imputer(x[number : number + 1], kept[number : number + 1])
        assert np.abs(alone[0] - together[number]).max() <= 1e-5
    assert np.abs(imputer(x[::-1], kept[::-1])[::-1] - together).max() <= 1e-5


@pytest.mark.parametrize("shape", [SHAPE, (61,)])
def test_both_frameworks_agree(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(5)
    kept = np.stack([removing(random.random(shape), share) for share in (0.1, 0.5, 0.9)])
    x = noise_pictures(3, 3, shape)
    in_torch, in_tensorflow = (imputer_of(operations_of(name))(x, kept) for name in ("torch", "tensorflow"))
    assert np.abs(in_torch - in_tensorflow).max() <= 1e-5


def test_shapes_that_do_not_belong_together_are_refused(imputer: Imputer) -> None:
    with pytest.raises(BadInput, match="masks"):
        imputer(noise_pictures(2), np.ones((2, 37, 48), bool))
    with pytest.raises(BadInput, match="masks"):
        imputer(noise_pictures(2)[:, 0], np.ones((2, *SHAPE), bool))
    with pytest.raises(NotApplicable, match="3 spatial axes"):
        imputer(noise_pictures(2, 1, (4, 4, 4)), np.ones((2, 4, 4, 4), bool))


@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (1, 5), (6, 1)])
def test_stacks_are_correlated_and_enlarged_as_documented(operations: TensorOperations, shape: tuple[int, int]) -> None:
    height, width = shape
    stack = np.random.default_rng(6).random((1, *shape, 3), dtype=np.float32)
    on_device = operations.from_numpy(stack)
    rows = np.ones(1) if height == 1 else np.array([1.0, 2.0, 3.0, 5.0])
    columns = np.ones(1) if width == 1 else np.array([1.0, 4.0, 2.0, 3.0])
    kernel = np.outer(rows, columns).astype(np.float32)
    padded = np.pad(stack[0], ((int(height > 1), 3), (int(width > 1), 3), (0, 0)))
    halved = ((height + 1) // 2, (width + 1) // 2)
    expected = np.array([
        [
            np.tensordot(kernel, padded[2 * row :][: len(rows), 2 * column :][:, : len(columns)], 2)
            for column in range(halved[1])
        ]
        for row in range(halved[0])
    ])  # fmt: skip
    summed = operations.correlate_stack(on_device, operations.stack_kernel(kernel, on_device), 2)
    assert np.abs(operations.to_numpy(summed)[0] - expected).max() <= 1e-4

    edges = np.pad(stack[0], ((1, 1), (1, 1), (0, 0)), mode="edge")
    for axis, size in enumerate(shape):
        if size > 1:
            inside = np.moveaxis(edges, axis, 0)
            pairs = [0.25 * inside[:-2] + 0.75 * inside[1:-1], 0.75 * inside[1:-1] + 0.25 * inside[2:]]
            edges = np.moveaxis(np.stack(pairs, axis=1).reshape(2 * size, *inside.shape[1:]), 0, axis)
        else:
            edges = np.take(edges, [1], axis)
    target = tuple(1 if size == 1 else 2 * size - 1 for size in shape)
    enlarged = operations.to_numpy(operations.enlarge_stack(on_device, target))
    assert np.abs(enlarged[0] - edges[: target[0], : target[1]]).max() <= 1e-5


@pytest.mark.parametrize("shape", [(3, 24, 40), (2, 1, 30), (3, 25)])
def test_channels_last_and_noise(operations, shape):
    """The other layout gives the same pictures; noise is added at removed positions alone."""
    generator = np.random.default_rng(3)
    x = generator.random((4, *shape), np.float32)
    noise = generator.standard_normal((1, *shape)).astype(np.float32)
    kept = generator.random((4, *shape[1:])) > 0.6
    kept[3] = False
    to, back = operations.from_numpy, operations.to_numpy
    first = back(linearly_imputed(operations, to(x), to(kept)))
    noisy = back(linearly_imputed(operations, to(x), to(kept), to(noise)))
    last = linearly_imputed(
        operations, to(np.moveaxis(x, 1, -1)), to(kept), to(np.moveaxis(noise, 1, -1)), channels_last=True
    )
    silent = linearly_imputed(operations, to(np.moveaxis(x, 1, -1)), to(kept), channels_last=True)
    np.testing.assert_allclose(np.moveaxis(back(silent), -1, 1), first, atol=2e-6)
    np.testing.assert_allclose(noisy, np.where(kept[:, None], x, first + noise), atol=1e-6)
    np.testing.assert_allclose(np.moveaxis(back(last), -1, 1), noisy, atol=2e-6)
    assert np.array_equal(noisy[np.broadcast_to(kept[:, None], x.shape)], x[np.broadcast_to(kept[:, None], x.shape)])
