"""What a metric of one's own perturbs pictures with, under the name that plugins import it by (docs/metrics.md)."""

from __future__ import annotations

from .perturbing.perturbation import ORIGINAL, Perturbation, removing

__all__ = ["ORIGINAL", "Perturbation", "removing"]
