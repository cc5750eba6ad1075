"""The command that asks whether metrics can be trusted: audit metrics."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from .options import FAILED, CellTimeout, Device, Engine, Framework, Names, joined, say_written

audits = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Ask whether what is measured can be trusted. Example: heatmark audit metrics --metrics deletion",
)


@audits.callback()
def audit() -> None:
    """Ask whether what is measured can be trusted.

    \b
    heatmark audit metrics --metrics deletion,insertion
    """


@audits.command("metrics")
def audit_metrics_command(
    metrics: Annotated[
        Names, typer.Option("--metrics", help="Such as deletion[rise],insertion; all at their defaults if not given.")
    ] = None,
    data: Annotated[
        Names, typer.Option("--data", help="Datasets with ground-truth masks; shapes,patches,series by default.")
    ] = None,
    models: Annotated[
        Names, typer.Option("--models", help="One for each dataset; heatmark's own networks for them by default.")
    ] = None,
    methods: Annotated[
        Names, typer.Option("--methods", help="Whose maps are scored, besides controls and the oracle.")
    ] = None,
    framework: Framework = None,
    limit: Annotated[int, typer.Option("--limit", help="So many samples of each dataset, spread over classes.")] = 64,
    seed: Annotated[int, typer.Option("--seed", help="Of maps, noise and metrics; a retest takes the next.")] = 0,
    device: Device = "auto",
    out: Annotated[
        Path, typer.Option("--out", help="The folder of results; RUN/audit to show it in that run's leaderboard.")
    ] = Path("results/audit"),
    engine: Engine = "processes",
    cell_timeout: CellTimeout = None,
    plugin: Annotated[Names, typer.Option("--plugin", help="A module or .py file that registers your metrics.")] = None,
) -> None:
    """Ask of each metric whether what it says can be trusted.

    On data whose ground truth is known: does the ground truth's own map (the oracle) beat every control? Does the
    score of a map survive a little noise, and fall when noise replaces it? Does another seed, or another half of the
    samples, say the same? And do metrics agree with each other? docs/metrics.md has the formulas.

    Writes audit.json, audit.md, audit.csv, oracle.csv and pictures. What is measured is kept: the same command goes
    on where it stopped, and with further metrics does only the new ones.

    \b
    heatmark audit metrics --metrics deletion,insertion --data series --limit 16
    heatmark audit metrics --plugin mine.py --metrics my_metric --out results/quick/audit
    heatmark leaderboard results/quick --audit results/audit
    """
    from ..benchmark.audit.plan import DATA, METHODS_AUDITED
    from ..leaderboards.audits.auditing import audit_metrics
    from ..leaderboards.audits.plots import write_audit_files
    from ..leaderboards.audits.tables import print_audit

    found = audit_metrics(
        joined(metrics),
        joined(data) or DATA,
        models=joined(models),
        methods=joined(methods) or METHODS_AUDITED,
        framework=framework,
        limit=limit,
        seed=seed,
        device=device,
        out=out,
        engine=engine,
        cell_timeout=cell_timeout,
        plugins=plugin or (),
    )
    written = write_audit_files(found, out)
    print_audit(found)
    failures = found.settings["failures"]
    for error, count in Counter(error for _, error in failures).items():
        first = next(what for what, text in failures if text == error)
        more = f" (and {count - 1} more)" if count > 1 else ""
        typer.echo(f"failed: {first}{more}: {error}", err=True)
    say_written(written)
    if failures:
        raise typer.Exit(FAILED)
