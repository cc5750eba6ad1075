"""Which metrics a mean rank may count, where methods of one table were measured with different ones.

Runs of one network on the same samples stand in one table, also where one suite has metrics that another has not. Mean
ranks are over metrics that every ranked method has, so some stand aside: the metrics of a poorer run, or its methods.
What stands together is the part of the table that holds most, methods times metrics, so that a small run beside a large
one changes no place of the large one's methods: those that stand aside have means, and are ranked by no metric.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..writing.numbers import counted
from .results import Results


def measured_alike(asked: Collection[frozenset[str]]) -> frozenset[str]:
    """Return the metrics that mean ranks are over, given those that each method was to be scored with.

    Of all such sets, that which most methods times metrics are measured with; of several, the one of more metrics, then
    the first.
    """

    def held(metrics: frozenset[str]) -> tuple[int, int]:
        return len(metrics) * sum(metrics <= other for other in asked), len(metrics)

    return max(dict.fromkeys(asked), key=held, default=frozenset())


def why_left_out(
    results: Results, metrics: Collection[str], together: Collection[str], names: Mapping[str, str]
) -> dict[str, str]:
    """Return why some of the metrics that mean ranks may count are left out here, by metric.

    Either it has no meaning for the maps of some method, or too few methods were measured with it.

    Parameters
    ----------
    results
        Of one table.
    metrics
        What mean ranks may count.
    together
        Those of them that `measured_alike` found.
    names
        Of the methods, by what the results call them.
    """
    found = {}
    for metric in results.metrics:
        if metric not in metrics:
            continue
        refusing = [names[method.method] for method in results.methods if metric in method.refused]
        if refusing:
            found[metric] = f"no meaning for the maps of {', '.join(refusing)}"
        elif metric not in together:
            having = sum(metric in method.asked for method in results.methods)
            found[metric] = f"measured with {having} of {counted(len(results.methods), 'method')}"
    return found
