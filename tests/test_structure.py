"""The house's doors open one way: arrows between files and rooms point downward, and no room is a hall.

Every import counts: at the top of a file, inside functions, and under TYPE_CHECKING. What a registry loads by a list
of module names (`registry.Registry`) is not an import: that is the one place where a room is lazy.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Folders from the ground up; a folder may use those before it.
FLOORS = ("datasets", "models", "methods", "metrics", "benchmark", "leaderboards", "cli")
#: Two folders on one floor: neither knows the other.
STRANGERS = {("metrics", "methods"), ("methods", "metrics")}
#: Rooms of leaderboards/ from the ground up, as docs/design.md gives them.
LEADERBOARDS = (
    "writing",
    "statistics",
    "audits",
    "trust",
    "standings",
    "across",
    "galleries",
    "networks",
    "costs",
    "records",
    "report",
    "comparing",
    "submitting",
    "site",
    "sweeps",
    "publishing",
)
LONGEST_FILE = 400
FULLEST_FOLDER = 16


def product() -> list[Path]:
    """Every source file of the package, without tests and the speed benchmarks."""
    inside = [path for folder in FLOORS for path in (ROOT / folder).rglob("*.py")]
    return sorted([*ROOT.glob("*.py"), *(path for path in inside if "runtime" not in path.relative_to(ROOT).parts)])


def imported(path: Path) -> set[Path]:
    """The files of the package that a file imports, wherever in it the import stands."""
    here = path.relative_to(ROOT).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*here[: len(here) - node.level + 1], *(node.module.split(".") if node.module else ())]
            found |= {_file([*base, alias.name]) or _file(base) or path for alias in node.names}
    return found - {path}


def _file(parts: list[str]) -> Path | None:
    path = ROOT.joinpath(*parts).with_suffix(".py") if parts else ROOT / "__init__.py"
    return path if path.is_file() else None


@cache
def arrows() -> Mapping[Path, set[Path]]:
    return {path: imported(path) for path in product()}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def circle(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """Return one circle of arrows, or nothing."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_the_arrows_are_read():
    found = {named(target) for target in arrows()[ROOT / "cli" / "leaderboard.py"]}
    assert "errors.py" in found and any(name.startswith("leaderboards/") for name in found)
    inside = ast.parse("def f():\n    from .b import c\nif TYPE_CHECKING:\n    from .d import e\n")
    assert sum(isinstance(node, ast.ImportFrom) for node in ast.walk(inside)) == 2
    assert circle({"a": ["b"], "b": ["a"]}) and not circle({"a": ["b", "c"], "b": ["c"]})


def test_no_file_imports_itself_by_way_of_others():
    assert circle({named(path): {named(target) for target in targets} for path, targets in arrows().items()}) == []


def test_folders_use_only_lower_ones():
    wrong = []
    for path, targets in arrows().items():
        floor = path.relative_to(ROOT).parts[0]
        for target in targets:
            other = target.relative_to(ROOT).parts[0]
            if target == ROOT / "__init__.py" and path != ROOT / "__main__.py":
                wrong.append(f"{named(path)} -> {named(target)}: the public names are the roof")
            if floor not in FLOORS and other in FLOORS and path.name not in ("__init__.py", "__main__.py"):
                wrong.append(f"{named(path)} -> {named(target)}: the root's files know no folder")
            elif floor in FLOORS and (other in FLOORS[FLOORS.index(floor) + 1 :] or (floor, other) in STRANGERS):
                wrong.append(f"{named(path)} -> {named(target)}")
    assert wrong == []


@pytest.mark.parametrize("folder", FLOORS)
def test_rooms_of_a_folder_make_no_circle(folder):
    """A room counts as one, and so does each file that stands in the folder itself."""
    between: dict[str, set[str]] = defaultdict(set)
    ways: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, targets in arrows().items():
        for target in targets:
            if path.is_relative_to(ROOT / folder) and target.is_relative_to(ROOT / folder):
                one, other = (place.relative_to(ROOT / folder).parts[0] for place in (path, target))
                if one != other:
                    between[one].add(other)
                    ways[one, other].append(f"{named(path)} -> {named(target)}")
    found = circle(between)
    assert found == [], [ways[one, other] for one, other in pairwise(found)]


def test_rooms_of_leaderboards_stand_in_order():
    wrong = []
    for path, targets in arrows().items():
        for target in targets:
            parts = [place.relative_to(ROOT).parts for place in (path, target)]
            if all(part[0] == "leaderboards" and part[1] in LEADERBOARDS for part in parts):
                one, other = (LEADERBOARDS.index(part[1]) for part in parts)
                if other > one:
                    wrong.append(f"{named(path)} -> {named(target)}")
    assert wrong == []


def test_no_file_is_too_long_and_no_folder_too_full():
    paths = [path for folder in (*FLOORS, "tests") for path in (ROOT / folder).rglob("*.py")] + list(ROOT.glob("*.py"))
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}
    held = Counter(named(path.parent) for path in paths)
    assert {folder: count for folder, count in held.items() if count > FULLEST_FOLDER} == {}
