"""Published results on the command line: list, show, and a run beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from .options import say_json

FLAG = "--published"
ALL = ""
"""What the option means without a name: all that come with heatmark."""

Published = Annotated[
    str | None,
    typer.Option(
        FLAG,
        metavar="[NAME]",
        help="Beside what papers report: a name (heatmark list published), your own .toml file, or all without one.",
    ),
]


class NameMayBeLeftOut(TyperCommand):
    """A command whose option ``--published`` may stand without a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give the option an empty value where nothing, or another option, follows it."""
        words = list(args)
        for place, word in enumerate(words):
            if word == "--":
                break
            if word == FLAG and (place + 1 == len(words) or words[place + 1].startswith("-")):
                words[place] = f"{FLAG}={ALL}"
        found: list[str] = super().parse_args(ctx, words)
        return found


def published_entries() -> list[dict[str, Any]]:
    """Return all published results with what a list shows of them."""
    from ..leaderboards.records.published import list_published
    from ..leaderboards.records.published_words import summary

    return [{"holds": summary(paper), **paper.plain()} for paper in list_published()]


def show_published(name: str, as_json: bool) -> None:
    """Print one source of published results."""
    from ..leaderboards.records.published import published
    from ..leaderboards.records.published_matching import with_official
    from ..leaderboards.records.published_terminal import show_paper

    (paper,) = with_official([published(name)])
    if as_json:
        say_json(paper.plain())
        return
    show_paper(paper)


def compare_with_published(runs: Sequence[Path], name: str, as_json: bool) -> None:
    """Print runs beside published results: all where the name is empty."""
    from ..leaderboards.records.published_matching import compare_published
    from ..leaderboards.records.published_terminal import show_comparison

    found = compare_published(list(runs), name or None)
    if as_json:
        say_json(found.plain())
        return
    show_comparison(found)
