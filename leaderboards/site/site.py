"""A leaderboard as a site: static files that any server, and any browser from disk, can show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...errors import BadInput, StorageError
from ...storage import made_folder, written_whole
from ..standings.standings import Standings
from .catalogue import Catalogue
from .docs import FOLDER, documents
from .downloads import download_files
from .pages import site_pages
from .pictures import pictures
from .rendering import static_files
from .scripts import Say, data_scripts

MANIFEST = "site.json"
"""Names the files that heatmark wrote, so that a later site in the same folder leaves nothing stale behind."""


def _silent(words: str) -> None:
    """Say nothing."""


def write_site(standings: Standings, out: str | Path, say: Say = _silent) -> Path:
    """Write a leaderboard as a site; open its ``index.html``, or put the folder on any file server.

    Parameters
    ----------
    standings
        What it shows.
    out
        Its folder. It may hold an earlier site, whose files are replaced, and files of others, which stay.
    say
        Is told in a few words what is being made; 60 methods on 50 metrics and 15 tasks take half a minute.

    Returns
    -------
    Path
        The page to open.

    Raises
    ------
    BadInput
        If the folder holds other files and no site, or there is nothing to show.
    StorageError
        If the folder is read-only or full.
    """
    folder = Path(out)
    earlier = _earlier(folder)
    if not standings.tables:
        raise BadInput("There are no results to make a site of: no cell of this run is planned.")
    catalogue = Catalogue(standings)
    say("pictures")
    drawn, texts = pictures(catalogue), documents()
    data = data_scripts(catalogue, drawn, say)
    say("pages")
    files: dict[str, str | bytes] = {
        **static_files(),
        **{f"data/{name}.js": text for name, text in data.items()},
        **drawn.files,
        **{f"docs/{name}": (FOLDER / name).read_bytes() for text in texts for name in text.pictures},
        **download_files(standings),
        **site_pages(catalogue, drawn, texts, list(data)),
    }
    made_folder(folder)
    _write_manifest(folder, earlier | set(files))  # so that a site that was interrupted is known as one
    for name, content in files.items():
        _write(folder / name, content)
    for name in sorted(earlier - set(files)):
        (folder / name).unlink(missing_ok=True)
    _remove_empty(folder, {(folder / name).parent for name in earlier - set(files)})
    _write_manifest(folder, set(files))
    return folder / "index.html"


def _earlier(folder: Path) -> set[str]:
    """Return the files of an earlier site in the folder; BadInput where it holds something else."""
    if not folder.exists():
        return set()
    if not folder.is_dir():
        raise BadInput(f"{folder} is a file. Name a folder for the site with --out.")
    manifest = folder / MANIFEST
    if not manifest.is_file():
        if any(folder.iterdir()):
            raise BadInput(f"{folder} holds files and no site of heatmark's. Name an empty or new folder with --out.")
        return set()
    try:
        content: Mapping[str, object] = json.loads(manifest.read_text(encoding="utf-8"))
        names = content["files"]
        assert isinstance(names, list)
        # Only files that lie inside may be taken away, whatever the manifest says.
        inside = folder.resolve()
        found = {str(name) for name in names if (folder / str(name)).resolve().is_relative_to(inside)}
        return {name for name in found if (folder / name).is_file()}
    except (ValueError, KeyError, TypeError, AssertionError):
        raise BadInput(f"{manifest} is damaged. Delete the folder, or name another one with --out.") from None
    except OSError as error:
        raise StorageError(f"Cannot read {manifest}: {error.strerror or error}.") from error


def _remove_empty(site: Path, folders: Iterable[Path]) -> None:
    """Remove folders inside the site that hold nothing any more."""
    for folder in folders:
        while folder != site and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


def _write_manifest(folder: Path, names: set[str]) -> None:
    _write(folder / MANIFEST, json.dumps({"files": sorted(names)}, indent=0) + "\n")


def _write(path: Path, content: str | bytes) -> None:
    with written_whole(path) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
