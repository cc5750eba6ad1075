"""How far code that is not trusted is kept apart."""

from __future__ import annotations

from typing import Literal

Level = Literal["bubblewrap", "landlock", "none"]
LEVELS: tuple[Level, ...] = ("bubblewrap", "landlock", "none")
