"""How well the check of citations tells a supported claim from one that is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from trimtab.bench.result import Measure
from trimtab.datasets.research import ORIGINS, LabelledCitation
from trimtab.stats import auroc, proportion


def check_figures(
    pairs: Sequence[LabelledCitation],
    *,
    supports: Callable[[LabelledCitation], bool],
    support: Callable[[LabelledCitation], float],
    cosine: Callable[[LabelledCitation], float],
) -> dict[str, Measure]:
    """Return precision, recall and ranking of the check on labelled pairs, and of the cosine alone.

    Args:
        pairs: claims beside the sentences they cite; both labels are needed.
        supports: the check's verdict.
        support: the score behind it.
        cosine: of claim and sentence, as the measure to beat.
    """
    truth = np.array([pair.supports for pair in pairs])
    said = np.array([supports(pair) for pair in pairs])
    both = int((truth & said).sum())
    measures = {
        "check.precision": _share(both, int(said.sum()), "pairs called supported that are"),
        "check.recall": _share(both, int(truth.sum()), "supported pairs that are called so"),
        "check.accuracy": _share(int((truth == said).sum()), len(pairs), "pairs judged rightly"),
        "check.auroc": Measure(value=auroc([support(pair) for pair in pairs], truth), unit="area"),
        "check.cosine_auroc": Measure(
            value=auroc([cosine(pair) for pair in pairs], truth), unit="area, cosine alone"
        ),
    }
    for kind, supported in ORIGINS.items():
        of_kind = [
            right for pair, right in zip(pairs, truth == said, strict=True) if pair.kind == kind
        ]
        unit = f"{'supported' if supported else 'unsupported'} pairs judged rightly"
        measures[f"check.right.{kind}"] = _share(int(sum(of_kind)), len(of_kind), unit)
    return measures


def _share(count: int, n: int, unit: str) -> Measure:
    if n == 0:
        return Measure(value=None, unit=f"{unit}: none")
    found = proportion(count, n)
    return Measure(value=found.value, low=found.low, high=found.high, unit=f"{unit}, of {n}")
