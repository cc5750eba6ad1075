"""Runs on a tiny network, for the tests of this room."""

from __future__ import annotations

from tiny_runs import start, tiny_folder

__all__ = ["start", "tiny_folder"]
