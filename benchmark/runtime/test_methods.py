"""What methods cost: method x model x framework x device x precision x batch, each place in a process of its own.

Run with ``tox -e bench``, or ``pytest benchmark/runtime/test_methods.py --benchmark-json out.json``; ``heatmark
runtime`` measures the same rows with the same code and adds tables and plots. ``extra_info`` holds everything that was
measured of a row; ``heatmark runtime --compare out.json`` reads it.
"""

from __future__ import annotations

from heatmark.benchmark.timing.rows import Place, RuntimeCase, checked_precision


def test_cost(measured_row, method, model_name, framework, device, precision, batch):
    """One row."""
    measured_row(RuntimeCase(method, model_name, Place(framework, device), checked_precision(precision), batch))
