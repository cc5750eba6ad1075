"""Fetching published files: pooch carries them, a SHA-256 checks them, and a file is there whole or not at all."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..errors import HeatmarkError
from ..identity import file_digest
from ..storage import made_folder, set_aside_aloud, written_whole
from .progress import Progress

ATTEMPTS = 3
SECONDS_BEFORE_RETRY = 0.5
TIMEOUT_SECONDS = 30
CHUNK_BYTES = 64 * 1024
# Many small files wait for the server most of the time; more at once would be impolite.
THREADS = 8


class FetchFailed(HeatmarkError):
    """A file that could not be fetched; the message names the file, its URL and the folder to put it in."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file: its name in the folder, where it comes from, and its checksum."""

    name: str
    url: str
    sha256: str


def fetch(url: str, file_name: str, sha256: str, folder: Path, progress: bool = True) -> Path:
    """Return a published file in ``folder``, fetched unless it is there already.

    A file that is there with another checksum is renamed (``NAME.corrupt``) and fetched again.

    Parameters
    ----------
    url
        Where it comes from (http or https).
    file_name
        Its name in ``folder``.
    sha256
        Its checksum, 64 hexadecimal digits.
    folder
        Made where it does not exist.
    progress
        Show the bytes, the rate and the time left on stderr.

    Raises
    ------
    FetchFailed
        Without a network, where the server refuses, or where the content has another checksum.
    StorageError
        If the folder cannot be written.
    """
    remote = RemoteFile(file_name, url, sha256)
    if _verified(remote, folder):
        return folder / file_name
    with Progress(f"Fetching {file_name}", unit="bytes", shown=progress) as bar:
        return _fetched(remote, folder, bar)


def fetch_all(files: Sequence[RemoteFile], folder: Path, label: str, progress: bool = True) -> list[Path]:
    """Return many published files in ``folder``; those that are there and right are not fetched again.

    An interrupted or failed call keeps what it has fetched, and the next one goes on from there.

    Raises
    ------
    FetchFailed
        For the first file that fails, with the number of files still missing; the rest is given up.
    StorageError
        If the folder cannot be written.
    """
    missing = [remote for remote in files if not _verified(remote, folder)]
    if missing:
        with Progress(label, total=len(missing), unit="files", shown=progress) as bar:
            _fetch_missing(missing, folder, bar)
    return [folder / remote.name for remote in files]


def url_of(base: str, name: str) -> str:
    """Return the URL of a file under a base URL."""
    return f"{base.rstrip('/')}/{quote(name)}"


def _fetch_missing(missing: Sequence[RemoteFile], folder: Path, bar: Progress) -> None:
    """Fetch with several threads; the first failure or Ctrl-C gives up what has not begun."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="heatmark-fetch") as pool:
        jobs = [pool.submit(_fetched, remote, folder, None) for remote in missing]
        try:
            for job in jobs:
                job.result()
                bar.update(1)
        except FetchFailed as error:
            pool.shutdown(cancel_futures=True)
            left = sum(not (folder / remote.name).exists() for remote in missing)
            raise FetchFailed(f"{error} Still missing there: {left} file(s).") from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _verified(remote: RemoteFile, folder: Path) -> bool:
    """Return whether the file is there and right; a wrong one is renamed out of the way."""
    path = folder / remote.name
    if not path.is_file():
        return False
    if file_digest(path) == remote.sha256:
        return True
    set_aside_aloud(path, f"The file {path} is damaged (another SHA-256).")
    return False


def _fetched(remote: RemoteFile, folder: Path, bar: Progress | None) -> Path:
    """Fetch one file, check it, and put it in place."""
    path = made_folder(folder) / remote.name
    with written_whole(path) as part:
        _download(remote, folder, part, bar)
        found = file_digest(part)
        if found != remote.sha256:
            raise _failure(remote, folder, f"its SHA-256 is {found} instead of {remote.sha256}; it was not kept")
    return path


def _download(remote: RemoteFile, folder: Path, part: Path, bar: Progress | None) -> None:
    """Carry the bytes, with a second and third attempt where the failure may pass."""
    pooch = importlib.import_module("pooch")
    requests = importlib.import_module("requests")
    downloader = pooch.HTTPDownloader(
        progressbar=bar if bar is not None else False, chunk_size=CHUNK_BYTES, timeout=TIMEOUT_SECONDS
    )
    for attempt in range(1, ATTEMPTS + 1):
        try:
            downloader(remote.url, os.fspath(part), None)
            return
        except requests.RequestException as error:
            status = error.response.status_code if error.response is not None else None
            refused = status is not None and status < 500 and status != 429
            if refused or attempt == ATTEMPTS or isinstance(error, (ValueError, requests.exceptions.SSLError)):
                reason = f"the server answered {status}" if status is not None else str(error)
                raise _failure(remote, folder, reason) from error
        time.sleep(SECONDS_BEFORE_RETRY * attempt)


def _failure(remote: RemoteFile, folder: Path, reason: str) -> FetchFailed:
    return FetchFailed(
        f"Cannot fetch {remote.name} from {remote.url}: {reason}. Without a network, fetch it elsewhere and put it "
        f"into the folder {folder}."
    )
