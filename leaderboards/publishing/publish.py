"""Everything that is made from the official results, in one go: README, the docs' pages and pictures, and the site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.figure import Figure

from ...errors import BadInput, StorageError
from .. import draw
from ..board import leaderboard
from ..records.official import official_runs
from ..records.published import list_published
from ..records.published_matching import with_official
from ..records.published_page import published_page
from ..records.releases import check_release, release, released_on
from ..site.site import write_site
from ..standings.standings import Standings
from ..writing.files import write_files
from .official_board import front_of, shown_tasks
from .pages import GALLERY, LEADERBOARD, NOTES, PARETO, readme_with, results_page

README = "README.md"
GALLERY_METHODS = 5
"""So many methods of the front task stand in README's gallery, the best ones, in its first framework."""
GALLERY_PICTURES = 3


@dataclass(frozen=True)
class Published:
    """What was written."""

    files: tuple[Path, ...]
    """In the repository."""
    site: Path | None
    """The site's first page, where one was asked for."""


def publish(
    repository: str | Path, site: str | Path | None = None, version: str | None = None, *, releasing: bool = False
) -> Published:
    """Make README's tables and pictures, the docs' pages, and the site from the official results.

    Parameters
    ----------
    repository
        The folder that holds README.md and docs/.
    site
        The folder of the site; none is made where None.
    version
        Of the official results, such as ``v1``; the newest where None.
    releasing
        Whether that version is released by this, which writes down the SHA-256 of each of its files; it never changes
        then (see `records.releases`).

    Raises
    ------
    BadInput
        If the folder is not heatmark's repository, or a version is to be released for a second time or is damaged.
    StorageError
        If there are no official results of that version, it is not what was released, or something cannot be written.
    """
    folder = Path(repository)
    _readme(folder)  # before the board is made
    runs = official_runs(version)
    if releasing:
        release(runs[0].parent.name)
    check_release(runs[0].parent.name)
    board = leaderboard(runs)
    written = write_files(folder, publication(folder, runs, board))
    return Published(tuple(written), None if site is None else write_site(board, site))


def publication(repository: Path, runs: Sequence[Path], board: Standings) -> dict[str, str | Figure | None]:
    """Return what `publish` writes into a repository, by path; ``board`` is that of the runs, all of one version."""
    readme = _readme(repository)
    notes = runs[0].parent / NOTES
    try:
        words = notes.read_text(encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{notes} is missing: it says what was measured, and what was reduced.") from error
    return {
        README: readme_with(readme, board, repository / README),
        "docs/results.md": results_page(board, f"{_state(runs[0].parent.name)}\n\n{words}"),
        "docs/published.md": published_page(with_official(list_published(), runs[0].parent.name)),
        **pictures(board),
    }


def _state(version: str) -> str:
    """Return in words whether a version is released."""
    if day := released_on(version):
        return f"This is version {version}, released on {day}; it never changes."
    return "This version is being filled; it is not released yet, and changes until it is."


def _readme(repository: Path) -> str:
    try:
        return (repository / README).read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{repository} is not heatmark's repository: it has no {README}.") from error


def pictures(board: Standings) -> dict[str, str | Figure | None]:
    """Return the pictures of README and docs by path."""
    front = front_of(shown_tasks(board))
    first = replace(front.board, tables=front.tables[:1])
    best = [row.method.id for row in first.tables[0].rows if row.place is not None and not row.method.control]
    return {
        LEADERBOARD: draw.board(front.board),
        GALLERY: draw.heatmaps(first, methods=best[:GALLERY_METHODS], pictures=GALLERY_PICTURES),
        PARETO: draw.pareto(front.board),
    }
