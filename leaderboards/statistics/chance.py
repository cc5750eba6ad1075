"""Whether a network that is right so often does better than guessing."""

from __future__ import annotations

from collections.abc import Mapping

from scipy import stats

from ..writing.numbers import percent
from .significance import LEVEL


def chance_warning(right: int, labels: Mapping[int, int], classes: int | None) -> str:
    """Return why a network's accuracy is not to be relied on, in words; nothing where it beats guessing.

    Parameters
    ----------
    right
        On how many of the labelled samples the network is right.
    labels
        How often each label occurs among them, at least one.
    classes
        Of the network; None where that is not known.
    """
    if len(labels) == 1 and classes != 1:
        return "All samples have the same label, so the network's accuracy says little."
    labelled = sum(labels.values())
    guess, how = _guessing(labels, classes)
    if stats.binom.sf(right - 1, labelled, guess) <= LEVEL:
        return ""
    compared = f"{right} of {labelled} right, and {how} gets {percent(guess)}."
    if right / labelled <= guess:
        return (
            f"The network is at chance on these samples: {compared} What heatmaps show of such a network is worth "
            "little."
        )
    return (
        f"So few samples do not tell the network from chance: {compared} More samples would show whether there is "
        "something to explain."
    )


def _guessing(labels: Mapping[int, int], classes: int | None) -> tuple[float, str]:
    """Return how often guessing is right, and in what way: always the commonest label, or any class."""
    total, most = sum(labels.values()), max(labels.values())
    # Of labels that hardly occur twice, the commonest says nothing about what is common.
    if most > 2 or classes is None:
        return max(most / total, 1 / (classes or len(labels))), "always saying the commonest label"
    return 1 / classes, f"guessing among {classes} classes"
