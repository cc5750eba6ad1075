"""What raw values mean, as data that travel."""

from __future__ import annotations

from typing import Any

from ...datasets.base import RawValues


def values_told(values: RawValues) -> dict[str, Any]:
    """Return it as JSON."""
    neutral = values.neutral
    return {"domain": values.domain, "neutral": list(neutral) if isinstance(neutral, tuple) else neutral}


def values_from(data: dict[str, Any]) -> RawValues:
    """Return what `values_told` told."""
    domain, neutral = data["domain"], data["neutral"]
    return RawValues(
        None if domain is None else (domain[0], domain[1]), tuple(neutral) if isinstance(neutral, list) else neutral
    )
