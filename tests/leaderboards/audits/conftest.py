"""The small world of audits, and what an audit finds in it, for every test of this room."""

from __future__ import annotations

from small_audits import found, plugin

__all__ = ["found", "plugin"]
