"""The files of an audit: tables and pictures beside ``audit.json``."""

from __future__ import annotations

from pathlib import Path

from ..writing.files import csv_text, write_files
from .audit import MetricsAudit
from .json_file import audit_json
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
    agreement = draw_agreement(audit)
    return write_files(
        folder,
        {
            "audit.json": audit_json(audit),
            "audit.md": audit_markdown(audit),
            "audit.csv": csv_text(audit_frame(audit), 6),
            "oracle.csv": csv_text(oracle_frame(audit), 6),
            "checks.png": draw_checks(audit),
            "agreement.png": agreement,
            "agreement.svg": agreement,
        },
    )
