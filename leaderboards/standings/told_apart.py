"""What entries are called on one board: their text, and what tells them apart where one text means several things.

Two runs may have the same method in two versions, or the same metric by two protocols: what an entry is says its
identity, from which its key is made, and not its text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...identity import digest

Identity = Mapping[str, Any]
"""An entry's name, version and all parameters, as cells record it."""

MOST_NAMED = 3
"""Up to so many parameters in which entries differ are named; beyond, the first digits of the key are."""


class EntryNames:
    """The names of methods or metrics on one board, each different from all others.

    Parameters
    ----------
    entries
        Every method, or every metric, of the board by its canonical text and identity, in the order of the board;
        repeated ones do no harm.
    """

    def __init__(self, entries: Iterable[tuple[str, Identity]]) -> None:
        self._keys: dict[str, list[tuple[Identity, str]]] = {}
        first: dict[str, tuple[str, Identity]] = {}
        for text, identity in entries:
            first.setdefault(self._key(text, identity), (text, identity))
        sharing: dict[str, dict[str, Identity]] = {}
        for key, (text, identity) in first.items():
            sharing.setdefault(text, {})[key] = identity
        self._names = {
            key: f"{text} ({words})" if words else text
            for text, identities in sharing.items()
            for key, words in _differences(identities).items()
        }

    def name(self, text: str, identity: Identity) -> str:
        """Return the name of an entry; two texts of one identity have the first one's."""
        return self._names[self._key(text, identity)]

    def _key(self, text: str, identity: Identity) -> str:
        """Return the digest of an identity, which is worked out once for all that are equal."""
        known = self._keys.setdefault(text, [])
        for other, key in known:
            if other is identity or other == identity:
                return key
        known.append((identity, digest(identity) if identity else text))
        return known[-1][1]


def fields_apart(first: Identity, second: Identity) -> list[str]:
    """Return in which fields two definitions differ, each with both values, in words."""
    one, other = dict(_leaves(first)), dict(_leaves(second))
    return [
        f"{place[-1]} {_told(one, place)} and {_told(other, place)}"
        for place in dict.fromkeys((*one, *other))
        if json.dumps(one.get(place)) != json.dumps(other.get(place)) or (place in one) != (place in other)
    ]


def _told(leaves: Mapping[tuple[str, ...], Any], place: tuple[str, ...]) -> str:
    return _short(leaves[place]) if place in leaves else "(not there)"


def _differences(identities: Mapping[str, Identity]) -> dict[str, str]:
    """Return by key what tells entries of one text apart, in words; nothing where there is only one."""
    if len(identities) == 1:
        return dict.fromkeys(identities, "")
    versions = {key: f"version {identity.get('version')}" for key, identity in identities.items()}
    if len(set(versions.values())) == len(versions):
        return versions
    leaves = {key: dict(_leaves(identity)) for key, identity in identities.items()}
    places = dict.fromkeys(place for found in leaves.values() for place in found)
    differing = [place for place in places if len({json.dumps(found.get(place)) for found in leaves.values()}) > 1]
    words = {key: _words(found, differing) for key, found in leaves.items()}
    if len(differing) > MOST_NAMED or len(set(words.values())) < len(words):
        return {key: f"definition {key[:8]}" for key in identities}
    return words


def _leaves(identity: Identity, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every value of an identity with the names that lead to it."""
    for name, value in identity.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*place, str(name)))
        else:
            yield (*place, str(name)), value


def _words(leaves: Mapping[tuple[str, ...], Any], places: Iterable[tuple[str, ...]]) -> str:
    return ", ".join(
        f"{place[-1]} {_short(leaves[place])}" if place in leaves else f"without {place[-1]}" for place in places
    )


def _short(value: Any) -> str:
    """Return a value in few characters: a digest by its first digits."""
    if isinstance(value, (list, tuple)):
        return "/".join(map(_short, value)) or "none"
    text = value if isinstance(value, str) else "none" if value is None else json.dumps(value)
    return text[:8] if len(text) == 64 else text
