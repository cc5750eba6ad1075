"""The values of Wang and others' ordering and proportionality (2020), as their code computes them from its curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Of one order: the attribution, the number of positions, and the logit of each picture.
Side = tuple[np.ndarray, np.ndarray, np.ndarray]


def wang_value(metric: str, sides: Sequence[Side], blank: float, whole: float) -> float:
    """Return one sample's value; ``sides`` are from the highest attribution and, for TPN and TPS, from the lowest."""
    share, counts, high = sides[0]
    if metric == "n_ord":
        high = np.maximum(high, blank) - blank
        return float(np.trapezoid(high / high[0], counts / counts[-1]))
    if metric == "s_ord":
        return float(np.trapezoid(np.maximum(high, blank) / (whole + 1e-16), counts / counts[-1]))
    low_share, _, low = sides[1]
    if metric == "tpn":
        high = np.maximum(high, blank)
        high, low = high / high[0], low / low[0]
        high, low = (side / min(1, blank / (max(side[-1], blank) + 1e-16)) for side in (high, low))
    else:  # nothing is clipped here
        high = high / min(whole, high[-1])
        low = low / min(whole, high[-1])
    grid = np.linspace(0, min(share[-1], low_share[-1]), 100001)
    return float(np.trapezoid(np.abs(np.interp(grid, share, high) - np.interp(grid, low_share, low)), grid))
