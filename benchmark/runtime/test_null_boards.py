"""How often boards of equal methods seem to tell some of them apart: what every claim of a difference rests on.

::

    pytest benchmark/runtime/test_null_boards.py -s      # prints the shares; a minute

Each share is that of 500 simulated boards on which methods that are alike are told apart somewhere, at the level 0.05:
at most 5 ± 2 %. Methods are alike where every sample treats them as any other: the same distribution, about an easier
or harder sample.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from heatmark.leaderboards.statistics.across import p_against, p_ahead_of, spreads
from heatmark.leaderboards.statistics.ranking import ranking
from heatmark.leaderboards.statistics.significance import LEVEL, pair_p

BOARDS, AT_MOST = 500, 0.07
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
#: What the scores of a sample are drawn from. Rounded ones and hits tie often, as those of many metrics do.
SCORES: dict[str, Draw] = {
    "normal": lambda draw, shape: draw.normal(size=shape),
    "skewed": lambda draw, shape: draw.exponential(size=shape) ** 2,
    "rounded": lambda draw, shape: draw.normal(size=shape).round(1),
    "hits": lambda draw, shape: 1.0 * (draw.random(shape) < 0.7),
}


def boards(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return the scores of many boards, (boards, metrics, methods, samples): metrics go along with each other."""
    draw = np.random.default_rng(seed)
    scores = SCORES[name](draw, (BOARDS, *shape))
    if name != "hits":
        scores = scores + draw.normal(size=(BOARDS, 1, 1, shape[-1])) + 0.5 * draw.normal(size=(BOARDS, 1, *shape[1:]))
    return scores.round(1) if name == "rounded" else scores


@pytest.mark.parametrize("samples", [10, 20, 100])
@pytest.mark.parametrize("name", SCORES)
def test_within_a_task(name: str, samples: int) -> None:
    """Neither by mean ranks nor on one metric are equal methods told apart."""
    methods, metrics = 10, 3
    split = np.zeros((BOARDS, 1 + metrics), bool)
    for number, scores in enumerate(boards(name, (metrics, methods, samples), samples)):
        found = ranking(scores, [True, False, True], np.ones(methods, bool), resamples=2)
        for place, ties in enumerate([found.tied, *found.metric_tied]):
            split[number, place] = any(one is not None and (one.first, one.last) != (1, methods) for one in ties)
        assert split[number, 0] == (found.wins.p <= LEVEL).any()
    shares = split.mean(axis=0)
    words = f"mean ranks {shares[0]:.3f}, single metrics {', '.join(f'{share:.3f}' for share in shares[1:])}"
    print(f"{name:8} {methods} methods, {samples:3} samples: told apart by {words}")
    assert shares.max() <= AT_MOST


@pytest.mark.parametrize(("methods", "blocks"), [(4, 9), (9, 9), (10, 12), (30, 17)])
def test_across_tasks(methods: int, blocks: int) -> None:
    """Over blocks, no equal method falls behind the best or is ahead of a control, and intervals of ranks hold."""
    draw = np.random.default_rng(methods)
    split = {"best": 0, "controls": 0, "pairs": 0}
    covered = []
    controls = np.arange(methods) < 2
    for number in range(BOARDS):
        values = draw.normal(size=(methods, blocks)).argsort(axis=0).argsort(axis=0) + 1.0
        split["best"] += bool((p_against(values, int(values.mean(axis=1).argmin())) <= LEVEL).any())
        split["controls"] += bool((p_ahead_of(values, controls) <= LEVEL).any())
        split["pairs"] += bool((pair_p(values) <= LEVEL).any())
        means, _ = spreads(values, 500, number)
        covered.append((means.low <= (methods + 1) / 2) & ((methods + 1) / 2 <= means.high))
    shares = {name: count / BOARDS for name, count in split.items()}
    words = ", ".join(f"{name} {share:.3f}" for name, share in shares.items())
    print(f"{methods:2} methods, {blocks:2} blocks: told apart by {words}; intervals hold {np.mean(covered):.3f}")
    assert max(shares.values()) <= AT_MOST
    assert np.mean(covered) >= 0.93


@pytest.mark.parametrize("equal", [2, 3, 5])
def test_equal_methods_at_the_top(equal: int) -> None:
    """Where others are worse, Friedman's test stops nothing: a method that is as good as the best still leads.

    Whichever comes out best was chosen by its outcome. Each of the truly best is said to be worse in at most 5 % of
    all boards.
    """
    methods, blocks = 9, 12
    draw = np.random.default_rng(equal)
    lost = np.zeros(equal)
    for _ in range(BOARDS):
        values = draw.normal(size=(methods, blocks)) + 6.0 * (np.arange(methods) >= equal)[:, None]
        p = p_against(values, int(values.mean(axis=1).argmin()))
        assert (p[equal:] <= LEVEL).all()
        lost += p[:equal] <= LEVEL
    print(f"{equal} equal of {methods}: each said to be worse in {(lost / BOARDS).round(3)}")
    assert (lost / BOARDS).max() <= AT_MOST
