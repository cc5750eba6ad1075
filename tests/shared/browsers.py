"""A real browser for pages: Debian's headless Chromium, driven by playwright, with everything it does written down."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
REQUIRED = "HEATMARK_NEEDS_BROWSER"
"""Where this is set (`.ci/run` does), a missing browser is a failure instead of a reason to skip."""


@dataclass
class Watched:
    """A page, with what it asked for and complained of."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: Path, address: str = "", drawn: str = "[data-ready]") -> Any:
        """Open a file from disk and wait until its script has drawn it; at once where it has none (``drawn=""``)."""
        self.page.goto("about:blank")
        self.page.goto(f"{path.as_uri()}{f'#{address}' if address else ''}")
        if drawn:
            self.page.wait_for_selector(drawn, state="attached", timeout=20_000)
        return self.page


def _missing(words: str) -> None:
    if os.environ.get(REQUIRED):
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser, once a session."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright is not installed: pip install 'heatmark[test]'")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        _missing(f"no browser is installed ({', '.join(NAMES)}): apt-get install chromium")
    with sync_playwright() as playwright:
        # Pages are our own and asked of nobody; a container's root user has no sandbox.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def watched(browser: Any, **settings: Any) -> Watched:
    """Return a new page in a context of its own; close ``.page.context`` after use."""
    page = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **settings}).new_page()
    found = Watched(page)
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("console", lambda message: found.complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    return found


@pytest.fixture
def browsed(chromium: Any) -> Iterator[Watched]:
    """A page of 1400 x 900 that may ask for files alone, and must not complain."""
    found = watched(chromium)
    yield found
    found.page.context.close()
    outside = [url for url in found.requests if not url.startswith(("file:", "about:", "blob:"))]
    assert outside == [] and found.complaints == []
