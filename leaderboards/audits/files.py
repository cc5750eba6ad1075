"""The files of an audit: tables and pictures beside ``audit.json``."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from ...storage import written_whole
from ..writing.files import write_figure
from .audit import MetricsAudit
from .json_file import write_audit
from .plots import draw_agreement, draw_checks
from .tables import audit_frame, audit_markdown, oracle_frame


def write_audit_files(audit: MetricsAudit, folder: Path) -> list[Path]:
    """Write all that there is of an audit, each file whole or not at all.

    ``audit.json`` (which `read_audit` reads), ``audit.md``, ``audit.csv`` (a row per metric), ``oracle.csv`` (a row
    per metric, task and control), ``checks.png``, and where metrics can be compared ``agreement.png`` and
    ``agreement.svg``.

    Raises
    ------
    StorageError
        If the folder is read-only or full.
    """
    written = [write_audit(audit, folder)]
    texts = {
        "audit.md": audit_markdown(audit),
        "audit.csv": audit_frame(audit).to_csv(index=False, float_format="%.6g", lineterminator="\n"),
        "oracle.csv": oracle_frame(audit).to_csv(index=False, float_format="%.6g", lineterminator="\n"),
    }
    for name, text in texts.items():
        with written_whole(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
        written.append(folder / name)
    agreement = draw_agreement(audit)
    figures = {"checks.png": draw_checks(audit)}
    if agreement is not None:
        figures |= {"agreement.png": agreement, "agreement.svg": agreement}
    with mpl.rc_context({"svg.hashsalt": "heatmark"}):
        for name, figure in figures.items():
            write_figure(figure, folder / name)
            written.append(folder / name)
    return written
