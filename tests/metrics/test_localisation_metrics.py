"""The localisation metrics, by hand and against their definitions written again."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.errors import BadInput, NotApplicable
from heatmark.metrics.contracts import violations
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import metric_from

ALL = (
    "pointing_game",
    "relevance_mass",
    "relevance_rank",
    "localisation_auc",
    "effective_heat_ratio",
    "grid_pointing_game",
)
PLAIN = ALL[:-1]


@pytest.fixture
def scored(model):
    """Return a function that scores maps with masks, whatever their shape."""

    def get(maps, masks, metric, framework="torch"):
        maps, masks = np.asarray(maps, np.float32), np.asarray(masks, bool)
        shape = (*maps.shape[1:], 2) if maps.ndim == 2 else (*maps.shape[1:], 3)
        subject = model("plain", framework, shape)
        x = native(subject, pictures(len(maps), shape))
        return hm.score(subject, x, maps, metric, 0, masks=masks)

    return get


def quarter(rows=slice(0, 6), columns=slice(0, 6), side=12):
    mask = np.zeros((1, side, side), bool)
    mask[0, rows, columns] = True
    return mask


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestByHand:
    def test_pointing_game(self, scored, framework):
        maps = np.zeros((1, 12, 12), np.float32)
        maps[0, 8, 9] = 1  # 3 rows and 4 columns away from the last position of the mask: a distance of 5
        for tolerance, expected in ((0, 0), (4.99, 0), (5, 0), (5.01, 100), (15, 100)):
            metric = f"pointing_game[tolerance={tolerance}]"
            assert scored(maps, quarter(), metric, framework) == expected
        assert scored(maps, quarter(slice(8, 9), slice(9, 10)), "pointing_game[tolerance=0]", framework) == 100

    def test_equal_maxima_point_at_the_first(self, scored, framework):
        maps = np.zeros((1, 12, 12), np.float32)
        maps[0, 2, 11] = maps[0, 3, 0] = 1
        metric = "pointing_game[tolerance=0]"
        assert scored(maps, quarter(slice(2, 3), slice(11, 12)), metric, framework) == 100
        assert scored(maps, quarter(slice(3, 4), slice(0, 1)), metric, framework) == 0
        assert scored(np.ones_like(maps), quarter(slice(0, 1), slice(0, 1)), metric, framework) == 100

    def test_mass_and_rank(self, scored, framework):
        maps = np.full((1, 12, 12), -1.0, np.float32)
        maps[0, 0, :4] = [1, 2, 3, 4]
        maps[0, 9, 9] = 10
        mask = quarter(slice(0, 1), slice(0, 4))
        assert scored(maps, mask, "relevance_mass", framework) == pytest.approx(10 / 20)
        # The four highest are 10, 4, 3 and 2: three lie in the mask.
        assert scored(maps, mask, "relevance_rank", framework) == pytest.approx(3 / 4)
        # Where all is equal, the first positions rank highest.
        assert scored(0 * maps, quarter(slice(0, 1), slice(0, 12)), "relevance_rank", framework) == 1
        assert scored(0 * maps, quarter(slice(1, 2), slice(0, 12)), "relevance_rank", framework) == 0

    def test_area_under_the_roc_curve(self, scored, framework):
        maps = np.arange(144, dtype=np.float32).reshape(1, 12, 12)
        assert scored(maps, quarter(slice(11, 12), slice(0, 12)), "localisation_auc", framework) == 1
        assert scored(maps, quarter(slice(0, 1), slice(0, 12)), "localisation_auc", framework) == 0
        assert scored(0 * maps, quarter(), "localisation_auc", framework) == 0.5
        # It ranks above 100 others, and 43 above it.
        assert scored(maps, quarter(slice(8, 9), slice(4, 5)), "localisation_auc", framework) == pytest.approx(
            100 / 143
        )

    def test_effective_heat_ratio(self, scored, framework):
        maps = np.zeros((1, 12, 12), np.float32)
        maps[0, 0, :5] = [10, 9.95, 6, 4, 0.5]  # heats 1, .995, .6, .4, and one below the floor
        maps[0, 1, 0] = -30
        mask = quarter(slice(0, 1), slice(1, 5))
        heats, inside = np.array([0.4, 0.6, 0.995, 1.0]), np.array([True, True, True, False])
        levels = np.linspace(0, 1, 11)
        thresholds = [min(np.quantile(heats, level), 0.99) for level in levels]
        ratios = [(heats * inside)[heats >= limit].sum() / (heats >= limit).sum() for limit in thresholds]
        assert ratios[0] == pytest.approx(1.995 / 4) and ratios[-1] == pytest.approx(0.995 / 2)
        result = scored(maps, mask, "effective_heat_ratio", framework)
        assert result == pytest.approx(np.trapezoid(ratios, levels), abs=1e-6)
        counts = [inside[heats >= limit].mean() for limit in thresholds]
        result = scored(maps, mask, "effective_heat_ratio[weighted=false]", framework)
        assert result == pytest.approx(np.trapezoid(counts, levels), abs=1e-6)
        assert scored(maps, mask, "effective_heat_ratio[floor=1.0]", framework) == 0

    def test_grid_pointing_game(self, scored, framework):
        maps = np.full((1, 12, 12), -1.0, np.float32)
        maps[0, 0, 0], maps[0, 5, 6], maps[0, 11, 11] = 1, 2, 5
        cells = [quarter(a, b) for a in (slice(0, 6), slice(6, 12)) for b in (slice(0, 6), slice(6, 12))]
        shares = [scored(maps, mask, "grid_pointing_game", framework)[0] for mask in cells]
        assert shares == pytest.approx([1 / 8, 2 / 8, 0, 5 / 8])
        assert scored(maps, cells[0] | cells[3], "grid_pointing_game", framework) == pytest.approx(6 / 8)
        third = quarter(slice(0, 4), slice(4, 8))
        assert scored(maps, third, "grid_pointing_game[cells=3]", framework) == pytest.approx(0)


class TestMosaics:
    def test_masks_that_are_no_cells_are_refused(self, scored):
        maps = np.ones((2, 12, 12), np.float32)
        wrong = np.concatenate([quarter(slice(0, 5)), quarter(slice(3, 9))])
        with pytest.raises(NotApplicable, match="for mosaics"):
            scored(maps, wrong, "grid_pointing_game")
        with pytest.raises(NotApplicable, match="grid of 3"):
            scored(maps, np.repeat(quarter(), 2, axis=0), "grid_pointing_game[cells=3]")
        mixed = np.concatenate([quarter(slice(0, 5)), quarter()])
        found = scored(maps, mixed, "grid_pointing_game")
        assert np.isnan(found[0]) and found[1] == pytest.approx(1 / 4)

    def test_a_border_may_be_off_by_a_row(self):
        game = metric_from("grid_pointing_game").measure
        mask = np.zeros((99, 99), bool)
        mask[:49, :49] = True  # the grid's own first cell has 50 rows
        assert game.located(mask.astype(float), mask) == 1
        mask[43:49] = False
        assert np.isnan(game.located(mask.astype(float), mask))

    def test_the_halves_of_a_series(self, scored):
        maps = np.arange(20, dtype=np.float32)[None]
        mask = np.arange(20)[None] >= 10
        assert scored(maps, mask, "grid_pointing_game") == pytest.approx(np.arange(10, 20).sum() / 190)


class TestAgainstTheirDefinitions:
    def test_the_roc_curve_of_scikit_learn(self, scored):
        from sklearn.metrics import roc_auc_score

        rng = np.random.default_rng(0)
        maps = rng.integers(-4, 5, (5, 12, 12)).astype(np.float32)  # with many ties
        masks = rng.random((5, 12, 12)) < 0.3
        expected = [roc_auc_score(mask.ravel(), one.ravel()) for mask, one in zip(masks, maps, strict=True)]
        assert scored(maps, masks, "localisation_auc") == pytest.approx(expected)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 10_000), st.floats(0, 20))
    def test_the_pointing_game_of_a_meeting_disc(self, seed, tolerance):
        from heatmark.metrics.properties.localisation import PointingGame

        rng = np.random.default_rng(seed)
        heat, mask = rng.standard_normal((9, 14)), rng.random((9, 14)) < 0.05
        mask[tuple(rng.integers(0, (9, 14)))] = True
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        down, across = np.ogrid[:9, :14]
        disc = (down - row) ** 2 + (across - column) ** 2 < tolerance**2
        expected = (mask & disc).any() or mask[row, column]
        assert PointingGame(tolerance).located(heat, mask) == 100 * expected


@pytest.mark.parametrize("metric", ALL)
class TestAll:
    def test_the_oracle_wins_and_its_opposite_loses(self, scored, model, metric):
        masks = np.concatenate([quarter(), quarter(slice(6, 12)), quarter(columns=slice(6, 12))])
        chosen = metric if metric != "pointing_game" else "pointing_game[tolerance=0]"
        oracle = scored(masks, masks, chosen)
        subject = model("plain", "torch")
        random = scored(hm.explain(subject, native(subject, pictures(3)), "random"), masks, chosen)
        wrong = scored(~masks, masks, chosen)
        best = 100 if metric == "pointing_game" else 1
        assert metric_from(metric).entry.higher_is_better
        assert oracle == pytest.approx(best) and wrong == pytest.approx(0)
        assert oracle.mean() > random.mean() > wrong.mean() or metric == "pointing_game"

    def test_samples_without_a_value(self, scored, metric):
        maps = np.random.default_rng(0).standard_normal((3, 12, 12)).astype(np.float32)
        masks = np.concatenate([quarter(), np.zeros((1, 12, 12), bool), np.ones((1, 12, 12), bool)])
        found = scored(maps, masks, metric)
        assert np.isfinite(found[0]) and np.isnan(found[1])
        # A mask that is everything leaves nothing to tell apart, and is no mosaic.
        assert np.isnan(found[2]) == (metric in ("localisation_auc", "grid_pointing_game"))
        assert np.isnan(scored(maps[:1], masks[1:2], metric)).all()

    def test_degenerate_maps(self, scored, metric):
        maps = np.random.default_rng(0).standard_normal((7, 12, 12)).astype(np.float32)
        maps[0] = 3.0
        maps[1, 2, 2] = np.nan
        maps[2, 1, 1], maps[2, 8, 8] = np.inf, -np.inf
        maps[3] = -np.abs(maps[3]) - 1
        maps[4] = 0
        maps[4, 3, 3] = 1
        maps[5] = 0
        maps[6] = np.nan
        masks = np.repeat(quarter(), 7, axis=0)
        before = maps.copy(), masks.copy()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = scored(maps, masks, metric)
        of_what_is_positive = metric in ("relevance_mass", "effective_heat_ratio", "grid_pointing_game")
        assert np.isfinite(found[[0, 1, 2, 4]]).all()
        assert (np.isnan(found[[3, 5, 6]]) == of_what_is_positive).all()
        # The one infinite position lies in the mask and outshines all others; so does the only one that is not zero.
        if metric in ("pointing_game", *ALL[1:2], *ALL[4:]):
            assert found[[2, 4]] == pytest.approx(100 if metric == "pointing_game" else 1)
        assert np.array_equal(maps, before[0], equal_nan=True) and np.array_equal(masks, before[1])

    def test_the_contract_is_kept_without_a_pass(self, model, metric):
        for shape in ((12, 12, 3), (20, 2)):
            subject = model("plain", "torch", shape)
            x = native(subject, pictures(3, shape))
            maps = hm.explain(subject, x, "random")
            masks = np.zeros((3, *shape[:-1]), bool)
            masks[(slice(None), *(slice(0, size // 2) for size in shape[:-1]))] = True
            assert violations(subject, x, maps, metric, masks=masks) == []
            before = subject.passes
            chosen, target = [metric_from(metric)], np.zeros(3, np.int64)
            evaluate_batch(subject, subject.inputs(x), maps, target, chosen, masks=masks)
            assert subject.passes == before

    def test_masks_are_needed_and_must_fit(self, scored, model, metric):
        subject = model("plain", "torch")
        x = native(subject, pictures(2))
        maps = hm.explain(subject, x, "random")
        with pytest.raises(NotApplicable, match="masks"):
            hm.score(subject, x, maps, metric, 0)
        with pytest.raises(BadInput, match=r"\(2, 6, 6\)"):
            scored(maps, np.ones((2, 6, 6), bool), metric)
