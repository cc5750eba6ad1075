"""The command that puts results beside others: compare."""

from __future__ import annotations

from ..errors import BadInput
from . import options
from .published import Published, compare_with_published


def compare_command(
    runs: options.RunFolders,
    published: Published = None,
    as_json: options.AsJson = False,
) -> None:
    """Put a run beside what papers report: what is the same, what differs, and only then whether the numbers do.

    Of each published value it says whether protocol, model, dataset and number of samples are the run's own. Only
    where all four are is a difference of the numbers one.

    \b
    heatmark compare results/quick --published              # beside all of heatmark list published
    heatmark compare results/quick --published score-cam
    heatmark compare results/quick --published my.toml --json
    """
    if published is None:
        raise BadInput("Say what to compare with: --published, or --published NAME (heatmark list published).")
    compare_with_published(runs, published, as_json)
