"""The documentation as pages of the site: Markdown, without any HTML of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

SHORT = 26
"""Code of so many characters stays on one line."""

FOLDER = Path(__file__).parents[2] / "docs"
"""Where the documentation lies in a checkout; an installed heatmark has it in the same place."""


@dataclass(frozen=True)
class Document:
    """One page of the documentation."""

    name: str
    """Its file's name, without the ending."""
    title: str
    body: Markup
    pictures: tuple[str, ...]
    """The pictures beside it that it shows."""


def documents(folder: Path = FOLDER) -> tuple[Document, ...]:
    """Return the pages of the documentation by title; none where it is not installed."""
    paths = sorted(folder.glob("*.md"))
    names = {path.stem for path in paths}
    found = [_document(path, names) for path in paths]
    return tuple(sorted(found, key=lambda one: one.title.lower()))


def _document(path: Path, names: set[str]) -> Document:
    # With "html" off, tags in the text are shown, not obeyed; links to scripts are refused by the library.
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    environment: dict[str, Any] = {}
    text = re.sub(r"^<!--.*?-->\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    tokens = parser.parse(text, environment)
    title = next((after.content for token, after in _pairs(tokens) if token.tag == "h1"), path.stem)
    taken: set[str] = set()
    pictures: dict[str, None] = {}
    for token, after in _pairs(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _anchor(after.content, taken))
        if token.type in ("th_open", "td_open"):
            _as_class(token)
        for child in token.children or ():
            _link(child, names)
            if child.type == "code_inline" and len(child.content) <= SHORT:
                child.attrSet("class", "short")  # `--limit` is not broken behind its dashes
            if child.type == "image" and (found := _picture(child, path.parent)):
                pictures[found] = None
    html = parser.renderer.render(tokens, parser.options, environment)
    # A wide table scrolls by itself, also by keyboard.
    html = html.replace("<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>')
    html = html.replace("</table>", "</table></div>")
    return Document(path.stem, title, Markup(html), tuple(pictures))


def _pairs(tokens: Sequence[Token]) -> list[tuple[Token, Token]]:
    return [(token, tokens[min(number + 1, len(tokens) - 1)]) for number, token in enumerate(tokens)]


def _anchor(words: str, taken: set[str]) -> str:
    """Return a heading's name in addresses, as GitHub makes it, so that links in the texts hold here too."""
    name = first = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
    number = 0
    while name in taken:
        number += 1
        name = f"{first}-{number}"
    taken.add(name)
    return name


def _as_class(token: Token) -> None:
    """Turn the alignment of a table's cell, a style that the policy forbids, into a class."""
    right = "right" in str(token.attrs.pop("style", ""))
    token.attrSet("class", ("number" if right else "words long") + (" plain" if token.type == "th_open" else ""))


def _link(token: Token, names: set[str]) -> None:
    """Lead a link to another text of the documentation to its page."""
    if token.type != "link_open":
        return
    target, mark, anchor = str(token.attrs.get("href", "")).partition("#")
    stem = target.removeprefix("docs/").removesuffix(".md")
    if target.endswith(".md") and stem in names:
        token.attrSet("href", f"{stem}.html{mark}{anchor}")


def _picture(token: Token, folder: Path) -> str:
    """Return the name of a picture that lies beside the text; one that is not there leaves its words."""
    source = str(token.attrs.get("src", ""))
    if re.fullmatch(r"[\w.-]+\.(png|jpe?g|svg)", source) and (folder / source).is_file():
        return source
    token.type, token.tag = "text", ""
    return ""
