"""Average Drop and Average Increase: what is left of the score when only what the map highlights is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ..models.queries import ScoreKind
from ..parameters import Doc
from ..registry import Reference
from .fills import FILLS
from .perturbations import ORIGINAL, MapFacts, Perturbation, Reading, fading, keeping
from .registry import Measure, register_metric

_CHATTOPADHYAY = Reference("Chattopadhyay et al.", 2017, "Grad-CAM++", "1710.11063")
_PRESETS: dict[str, dict[str, Any]] = {
    "gradcampp": {"mask": "soft", "fill": "black"},
    "scorecam": {"mask": "top", "share": 0.5, "fill": "zero"},
    "torchcam": {"mask": "soft", "fill": "zero"},
}
Mask = Annotated[
    Literal["soft", "top", "positive"],
    Doc("its positive part scaled to [0, 1]; its top share; or where it is positive", source="torch-cam, ADCC: soft"),
]
Share = Annotated[float, Doc("of the positions, for mask=top", source="Score-CAM: 0.5", low=0, high=1)]
Fill = Annotated[str, Doc("what the masked positions show", source="raw pixels times the mask", choices=FILLS)]
Score = Annotated[ScoreKind, Doc("what drops", source="Chattopadhyay et al. 2017: probability")]


@dataclass(frozen=True)
class MaskedScore(Measure):
    """The score with only the highlighted part shown, against the score of the whole, in percent.

    Attributes
    ----------
    change
        ``drop``: 100 max(0, Y - O) / Y, for Y the whole's score and O the masked one's (NaN where Y <= 0, which only
        logits can be); ``increase``: 100 where O > Y, else 0.
    mask
        ``soft``: the map's positive part scaled to [0, 1] (a constant map highlights nothing); ``top``: the ``share``
        of positions ranked highest; ``positive``: those with an attribution above zero.
    share
        For ``top``.
    fill
        What the rest fades to or shows.
    score
        Whose change is taken.
    """

    change: Literal["drop", "increase"]
    mask: str
    share: float
    fill: str
    score: ScoreKind

    def needs(self, facts: MapFacts) -> list[Perturbation]:
        """See `Measure.needs`."""
        return [ORIGINAL, self._masked(facts)]

    def value(self, reading: Reading) -> float:
        """See `Measure.value`."""
        whole = reading.score(ORIGINAL, self.score)
        masked = reading.score(self._masked(reading.facts), self.score)
        if self.change == "increase":
            return 100.0 * (masked > whole)
        return 100.0 * max(0.0, whole - masked) / whole if whole > 0 else float("nan")

    def _masked(self, facts: MapFacts) -> Perturbation:
        if self.mask == "soft":
            return fading(self.fill)
        kept = facts.positives if self.mask == "positive" else round(self.share * facts.positions)
        return keeping(0, kept, self.fill, facts.positions)


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
)
def average_increase(
    *, mask: Mask = "soft", share: Share = 0.5, fill: Fill = "black", score: Score = "probability"
) -> Measure:
    """The share of samples whose probability rises when only what the map highlights is shown."""
    return MaskedScore("increase", mask, share, fill, score)
