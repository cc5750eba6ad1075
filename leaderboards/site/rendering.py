"""Pages from templates, and the policy that a browser holds them to."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..writing import numbers
from ..writing.sentences import begun
from ..writing.templates import templates_in

HERE = Path(__file__).parent
TEMPLATES, STATIC = HERE / "templates", HERE / "static"
FIRST = "theme_first.js"
"""The one script that stands in the page itself: it sets the theme before anything is drawn."""


@dataclass(frozen=True)
class Link:
    """A place that a page leads to."""

    title: str
    path: str


@dataclass(frozen=True)
class Site:
    """What stands on every page."""

    name: str
    links: tuple[Link, ...]
    footer: str


@dataclass(frozen=True)
class Scripts:
    """What a page runs: code, then data (by name), then the code that draws."""

    before: Sequence[str] = ()
    data: Sequence[str] = ()
    last: Sequence[str] = ()


class Pages:
    """Renders pages of one site.

    The policy allows the site's own files alone: ``'self'`` is the server that the site came from. A page opened from
    disk has no origin, and ``'self'`` means nothing there in Firefox (any file in Chromium), so ``file:`` is named as
    well; a page from a server gets no file in any browser. The one inline script is allowed by its hash. Nothing may be
    sent, framed, evaluated or styled inline; scripts style what they draw by attributes and properties, which no policy
    forbids.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._first = (STATIC / FIRST).read_text(encoding="utf-8").strip()
        self._environment = templates_in(TEMPLATES)
        self._environment.globals.update(format=numbers)
        self._environment.filters.update(begun=begun, coded=coded)

    @property
    def policy(self) -> str:
        """The Content-Security-Policy of every page."""
        found = base64.b64encode(hashlib.sha256(self._first.encode()).digest()).decode("ascii")
        parts = (
            "default-src 'none'",
            f"script-src 'self' file: 'sha256-{found}'",
            "style-src 'self' file:",
            "img-src 'self' file:",
            "base-uri 'none'",
            "form-action 'none'",
        )
        return "; ".join(parts)

    def page(self, template: str, path: str, title: str, scripts: Scripts | None = None, **context: Any) -> str:
        """Return a page's text.

        Parameters
        ----------
        template
            The name of its template, without the ending.
        path
            Where it will lie in the site, which says how its links begin.
        title
            What it is called.
        scripts
            What it runs.
        context
            What the template shows.
        """
        scripts = scripts or Scripts()
        return self._environment.get_template(f"{template}.html.j2").render(
            root="../" * path.count("/"),
            here=context.pop("section", path),
            title=title,
            summary=context.pop("summary", ""),
            site=self._site,
            policy=self.policy,
            theme_script=Markup(self._first),
            sheets=("base.css", "tables.css", "figures.css"),
            scripts=scripts.before,
            data=scripts.data,
            last=scripts.last,
            **context,
        )


def coded(text: str) -> Markup:
    """Return text in which what stands between backticks is code."""
    parts = (
        Markup("<code>{}</code>" if number % 2 else "{}").format(part) for number, part in enumerate(text.split("`"))
    )
    return Markup("").join(parts)


def static_files() -> dict[str, str]:
    """Return the code, the styles and the icon that every site has, by their place in it."""
    paths = sorted(path for path in STATIC.iterdir() if path.suffix in (".js", ".css", ".svg") and path.name != FIRST)
    return {f"static/{path.name}": path.read_text(encoding="utf-8") for path in paths}
