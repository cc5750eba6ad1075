"""Average Drop, Increase and Gain: what becomes of the score when only what the map highlights is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import CurveMeasure, Measure
from ..perturbing.fills import CANVASES
from ..perturbing.perturbation import ORIGINAL, SCALED, SOFT, MapFacts, Perturbation, Reading, fading, keeping
from ..perturbing.rounding import rounding_of
from ..registry import register_metric

_CHATTOPADHYAY = Reference("Chattopadhyay et al.", 2017, "Grad-CAM++", "1710.11063")
_PRESETS: dict[str, dict[str, Any]] = {
    "gradcampp": {"mask": "soft", "fill": "black"},
    "scorecam": {"mask": "top", "share": 0.5, "fill": "zero"},
    "torchcam": {"mask": "scaled", "fill": "zero"},
}
Mask = Annotated[
    Literal["soft", "scaled", "top", "positive"],
    Doc(
        "the map's positive part scaled to [0, 1]; the whole map scaled to [0, 1]; its top share; where it is positive",
        source="Grad-CAM++: the map of a CAM, which has no negative part",
    ),
]
Share = Annotated[float, Doc("of the positions, for mask=top", source="Score-CAM: 0.5", low=0, high=1)]
Fill = Annotated[str, Doc("what the masked positions show", source="raw pixels times the mask", choices=CANVASES)]
DroppingScore = Literal["probability", "logit"]
Score = Annotated[DroppingScore, Doc("what drops", source="Chattopadhyay et al. 2017: probability")]


@dataclass(frozen=True)
class MaskedScore(CurveMeasure):
    """The score with only the highlighted part shown, against the score of the whole, in percent.

    Attributes
    ----------
    change
        ``drop``: 100 max(0, Y - O) / Y, for Y the whole's score and O the masked one's (NaN where Y <= 0, which only
        logits can be); ``increase``: 100 where O > Y by more than float32's rounding, else 0; ``gain``: 100 max(0,
        O - Y) / (1 - Y), for probabilities.
    mask
        ``soft``: the map's positive part scaled to [0, 1] (a constant map highlights nothing); ``scaled``: the map
        scaled to [0, 1] from its lowest to its highest value; ``top``: the ``share`` of positions ranked highest;
        ``positive``: those with an attribution above zero.
    share
        For ``top``.
    fill
        What the rest fades to or shows.
    score
        Whose change is taken.
    """

    change: Literal["drop", "increase", "gain"]
    mask: str
    share: float
    fill: str
    score: DroppingScore

    @property
    def bounded(self) -> bool:
        """See `Measure.bounded`."""
        return self.change != "drop" or self.score == "probability"

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        return [ORIGINAL, self._masked(facts)]

    def value(self, reading: Reading) -> float:
        """See `CurveMeasure.value`."""
        whole = reading.score(ORIGINAL, self.score)
        masked = reading.score(self._masked(reading.facts), self.score)
        if self.change == "increase":
            return 100.0 * (masked - whole > rounding_of(np.array([whole, masked]), self.score))
        if self.change == "gain":
            return 100.0 * (masked - whole) / (1.0 - whole) if masked > whole else 0.0
        return 100.0 * max(0.0, whole - masked) / whole if whole > 0 else float("nan")

    def _masked(self, facts: MapFacts) -> Perturbation:
        if self.mask in ("soft", "scaled"):
            return fading(self.fill, SOFT if self.mask == "soft" else SCALED)
        kept = facts.positives if self.mask == "positive" else round(self.share * facts.positions)
        return keeping(0, kept, self.fill, facts)


@register_metric(
    "average_drop",
    family="faithfulness",
    higher_is_better=False,
    range=(0.0, 100.0),
    unit="%",
    reference=_CHATTOPADHYAY,
    presets=_PRESETS,
)
def average_drop(
    *, mask: Mask = "soft", share: Share = 0.5, fill: Fill = "black", score: Score = "probability"
) -> Measure:
    """The share of the target's probability that is lost when only what the map highlights is shown."""
    return MaskedScore("drop", mask, share, fill, score)


@register_metric(
    "average_increase",
    family="faithfulness",
    higher_is_better=True,
    range=(0.0, 100.0),
    unit="%",
    reference=_CHATTOPADHYAY,
    presets=_PRESETS,
    version=2,
)
def average_increase(
    *, mask: Mask = "soft", share: Share = 0.5, fill: Fill = "black", score: Score = "probability"
) -> Measure:
    """The share of samples whose probability rises when only what the map highlights is shown."""
    return MaskedScore("increase", mask, share, fill, score)


@register_metric(
    "average_gain",
    family="faithfulness",
    higher_is_better=True,
    range=(0.0, 100.0),
    unit="%",
    reference=Reference("Zhang, Torres, Sicre, Avrithis, Ayache", 2023, "Opti-CAM", "2301.07002"),
    presets=_PRESETS,
)
def average_gain(*, mask: Mask = "soft", share: Share = 0.5, fill: Fill = "black") -> Measure:
    """The share of the probability that was lacking and is gained when only what the map highlights is shown."""
    return MaskedScore("gain", mask, share, fill, "probability")
