"""Average Drop, Increase and Gain: what becomes of the score when only what the map highlights is shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..measure import CurveMeasure
from ..perturbing.fills import ABSENCE, CANVASES
from ..perturbing.perturbation import ORIGINAL, SCALED, SOFT, MapFacts, Perturbation, Reading, fading, keeping
from ..perturbing.rounding import rounding_of
from ..registry import register_metric

_CHATTOPADHYAY = Reference("Chattopadhyay et al.", 2017, "Grad-CAM++", "1710.11063")
_masked = partial(
    register_metric,
    family="faithfulness",
    range=(0.0, 100.0),
    unit="%",
    presets={
        "gradcampp": {"mask": "soft", "fill": "black"},
        "scorecam": {"mask": "top", "share": 0.5, "fill": "zero"},
        "torchcam": {"mask": "scaled", "fill": "zero"},
    },
)
Change = Literal["drop", "increase", "gain"]
DroppingScore = Literal["probability", "logit"]


@dataclass(frozen=True)
class MaskedScore(CurveMeasure):
    """The score with only the highlighted part shown, against the score of the whole, in percent.

    The mask is ``soft``: the map's positive part scaled to [0, 1] (a constant map highlights nothing); ``scaled``: the
    map scaled to [0, 1] from its lowest to its highest value; ``top``: the ``share`` of positions ranked highest;
    ``positive``: those with an attribution above zero.
    """

    change: Change
    """``drop``: 100 max(0, Y - O) / Y, for Y the whole's score and O the masked one's (NaN where Y <= 0, which only
    logits can be); ``increase``: 100 where O > Y by more than float32's rounding, else 0; ``gain``: 100 max(0, O - Y) /
    (1 - Y), for probabilities.
    """
    mask: Annotated[
        Literal["soft", "scaled", "top", "positive"],
        Doc(
            "the map's positive part scaled to [0, 1]; the whole map scaled to [0, 1]; its top share; where it is "
            "positive",
            says={
                "soft": "the mask is the map's positive part, scaled to [0, 1]",
                "scaled": "the mask is the whole map, scaled to [0, 1]",
                "top": "only the positions ranked highest are shown",
                "positive": "only positions with a positive attribution are shown",
            },
            source="Grad-CAM++: the map of a CAM, which has no negative part",
        ),
    ] = "soft"
    share: Annotated[
        float,
        Doc(
            "of the positions, for mask=top",
            says="{%} of the positions are shown",
            when="mask=top",
            source="Score-CAM: 0.5",
            low=0,
            high=1,
        ),
    ] = 0.5
    fill: Annotated[
        str,
        Doc(
            "what the masked positions show",
            says="what is masked shows {}",
            source="raw pixels times the mask: black",
            choices=CANVASES,
        ),
    ] = ABSENCE
    score: Annotated[
        DroppingScore, Doc("what drops", says="the drop is that of {}", source="Chattopadhyay et al. 2017: probability")
    ] = "probability"

    @property
    def bounded(self) -> bool:
        """See `Measure.bounded`."""
        return self.change != "drop" or self.score == "probability"

    def why_not(self, signed: bool | None) -> str:
        """See `Measure.why_not`."""
        if self.mask == "positive" and signed is False:
            return "mask=positive hides what is not above zero, of which unsigned maps have next to nothing"
        return ""

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


@_masked("average_drop", title="Average Drop", higher_is_better=False, reference=_CHATTOPADHYAY)
@dataclass(frozen=True)
class AverageDrop(MaskedScore):
    """The share of the target's probability that is lost when only what the map highlights is shown.

    Formula
    -------
    100 max(0, Y - O) / Y, with Y = p(x) and O = p(x under the mask m)

    Reading
    -------
    0 to 100 %, low is good: what the map highlights is enough for the class.

    Weaknesses
    ----------
    A map that highlights everything drops nothing and wins: read it beside a metric of size, or use adcc. The mask, and
    not the order of attributions, decides.
    """

    change: Change = "drop"


@_masked(
    "average_increase",
    title="Average Increase",
    higher_is_better=True,
    reference=_CHATTOPADHYAY,
    version=2,
    in_mean_rank=False,
)
@dataclass(frozen=True)
class AverageIncrease(MaskedScore):
    """The share of samples whose probability rises when only what the map highlights is shown.

    A rise is rare, so most methods share a share of zero: leaderboards show it, and do not rank by it.

    Formula
    -------
    100 where O > Y, else 0, with Y = p(x) and O = p(x under the mask m)

    Reading
    -------
    The share of samples that the network is surer of when the rest is hidden; high is good.

    Weaknesses
    ----------
    A rise is rare where the network is sure, so most methods share a value near zero: leaderboards show it and do not
    rank by it. A mask that hides nothing but noise counts as much as one that finds the object.
    """

    change: Change = "increase"


@_masked(
    "average_gain",
    title="Average Gain",
    higher_is_better=True,
    reference=Reference("Zhang, Torres, Sicre, Avrithis, Ayache", 2023, "Opti-CAM", "2301.07002"),
)
@dataclass(frozen=True)
class AverageGain(MaskedScore):
    """The share of the probability that was lacking and is gained when only what the map highlights is shown.

    Formula
    -------
    100 max(0, O - Y) / (1 - Y), with Y = p(x) and O = p(x under the mask m)

    Reading
    -------
    The share of the missing probability that the mask wins; high is good, and 0 is usual where the network is sure
    already.

    Weaknesses
    ----------
    Tells little on confident networks, where 1 - Y is next to nothing and one sample can decide a mean.
    """

    change: Change = "gain"
    score: DroppingScore = "probability"
