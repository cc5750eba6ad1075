"""What the methods of influence leave open: whose influence, on what, and where it is averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np

from ...datasets.base import Dataset
from ...models.inputs.baselines import BASELINES
from ...parameters import Doc

Steps = Annotated[
    int, Doc("points of the distribution", says="{} points of the distribution", source="TruLens: 10; IG: 50", low=1)
]
Points = Annotated[
    int,
    Doc(
        "points of the distribution; of a class or dataset, at most so many samples",
        says="{} points of the distribution",
        when="distribution!=instance",
        source="TruLens: 10",
        low=1,
    ),
]
Baseline = Annotated[
    str | float | np.ndarray, Doc("where the path begins", says="from {}", source="black", choices=BASELINES)
]
Quantity = Annotated[
    str | Callable[..., Any],
    Doc(
        "the target's logit, or its lead over another class; in Python also a score of one's own",
        says={"class": "on the target's logit", "comparison": "on the target's lead over another class"},
        source="Leino et al. 2018, section 2.2",
        choices=("class", "comparison"),
    ),
]
Rival = Annotated[
    int | None,
    Doc(
        "the other class of a comparison; by default the one with the nearest logit",
        says="that class is {}",
        source="heatmark",
        later=True,
    ),
]
Distribution = Annotated[
    Literal["instance", "class", "dataset", "path", "gaussian"],
    Doc(
        "where influence is averaged: at x, over samples of the target's class or of any, from the baseline to x, or "
        "around x",
        says={
            "instance": "at the sample alone",
            "class": "over samples of the target's class",
            "dataset": "over samples of all classes",
            "path": "from the baseline to the sample",
            "gaussian": "around the sample",
        },
        source="Leino et al. 2018, section 2.2",
    ),
]
Data = Annotated[
    str | Dataset | None,
    Doc(
        "the dataset whose samples are the distributions `class` and `dataset`", says="samples of {}", source="heatmark"
    ),
]
