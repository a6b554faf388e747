"""``trimtab bench routing``: replays a router, and its promise, on recorded answers.

Questions are split into halves at random, as often as asked. Each split fits the router on the one
half and measures its curve on the other; the promise is certified on the first half and what it
saves measured on the other. Nothing of the second half is seen before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.promise import check_promise
from trimtab.bench.result import Measure, bench_result, spread
from trimtab.bench.routing_bars import bars, known_name
from trimtab.bench.routing_gate import fit_scores, text_features
from trimtab.bench.routing_pool import Floats, open_pool
from trimtab.bench.routing_promise import (
    Kept,
    Rows,
    Setting,
    agreement_path,
    keep,
    open_setting,
)
from trimtab.datasets.recorded import Recorded, read_recorded
from trimtab.errors import ConfigError
from trimtab.evals.routing_metrics import Curve, apgr, cpt, curve, priced_apgr, share_at

_UNITS = {
    "apgr": "gap recovered, mean over the strong model's share (its bill with a pool)",
    "cpt50": "share of calls",
    "cpt80": "share of calls",
    "share_at_95": "share of calls",
    "share_at_98": "share of calls",
    "saved": "share of the strong model's bill",
    "labels_per_1000": "rows",
}


def run(
    *,
    table: Path,
    cheap: str,
    strong: str,
    agree: Sequence[str] = (),
    promise: float = 0.02,
    confidence: float = 0.95,
    splits: int = 20,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the benchmark of a router between recorded models.

    Measures are means over the splits, with the middle 95 % of them as limits and their standard
    deviation under ``…_sd``. Without ``agree`` the router reads only the question, and ``apgr`` is
    taken over the share of calls to the strong model. With ``agree`` the cheap side is the pool's
    answer (the first that two agents share, cheapest first; the dearest agent's where none do) and
    ``apgr`` is taken over the bill, all calls priced, from the cheap model alone to the strong
    model alone; ``apgr_calls`` is the same over the share of calls. The other figures are always
    over the share of calls; 0 and 1 on the scale of quality are the cheap and the strong model.

    ``promise_broken`` counts the splits whose certified rule truly loses more than was promised,
    on all questions but those it learned from; ``promise_exceeded`` those where the other half,
    a sample itself, measured more.

    Args:
        table: file that :func:`trimtab.datasets.recorded.read_recorded` reads.
        cheap: name of the cheap model.
        strong: name of the strong model.
        agree: names of further cheap models whose agreement is asked for.
        promise: largest loss against always asking the strong model.
        confidence: of the promise.
        splits: halvings of the questions.
        seed: of every draw.

    Raises:
        ConfigError: an argument is outside its range.
        InputError: the table cannot be used, or holds no such model.
    """
    check_promise(loss=promise, confidence=confidence)
    if splits < 1:
        raise ConfigError(f"splits={splits}: give at least 1")
    recorded = read_recorded(table)
    questions, models = recorded.select([cheap, strong, *agree])
    if len(questions) < 20:
        raise ConfigError(f"{recorded.name}: {len(questions)} common questions; give at least 20")
    texts = [recorded.texts[i] for i in questions]
    weak, dear, *others = models
    setting = open_setting(texts, text_features(texts), open_pool([weak, *others]), dear)
    path = agreement_path(setting) if others else []
    rng = np.random.default_rng(seed)
    rows: list[dict[str, float | None]] = []
    kept: list[Kept] = []
    half = (len(texts) + 1) // 2
    for _ in range(splits):
        order = rng.permutation(len(texts))
        first, second = order[:half], order[half:]
        rows.append(_measured(setting, weak, first, second))
        kept.append(keep(setting, path, first, second, loss=promise, confidence=confidence))
    data = known_name(recorded)
    return bench_result(
        "routing",
        data=data,
        n=len(texts),
        seed=seed,
        measures=_summary(rows) | _promise_summary(kept, window=half, loss=promise),
        bars=bars(
            data,
            cheap=cheap,
            strong=strong,
            agree=agree,
            promise=promise,
            confidence=confidence,
            splits=splits,
        ),
        packages=("numpy", "scikit-learn", "pyarrow"),
    )


def _measured(setting: Setting, weak: Recorded, train: Rows, test: Rows) -> dict[str, float | None]:
    """Return the figures of one split, measured on its test rows."""
    pooled = len(setting.pool.agents) > 1
    low, high = float(weak.correct[test].mean()), float(setting.strong.correct[test].mean())
    low_usd = float(weak.cost_usd[test].mean())
    high_usd = float(setting.strong.cost_usd[test].mean())

    def curve_of(scores: Floats) -> Curve:
        return curve(
            scores[test],
            cheap=setting.cheap[test],
            strong=setting.strong.correct[test],
            cheap_usd=setting.cheap_usd[test],
            strong_usd=setting.strong.cost_usd[test],
            both_run=pooled,
        )

    def area(points: Curve) -> float | None:
        if not pooled:
            return apgr(points, weak=low, strong=high)
        return priced_apgr(points, weak=low, strong=high, weak_usd=low_usd, strong_usd=high_usd)

    points = curve_of(fit_scores(setting.texts, setting.features, setting.gains, train))
    length = area(curve_of(np.array([float(len(text)) for text in setting.texts])))
    ours = area(points)
    return {
        "apgr": ours,
        "apgr_calls": apgr(points, weak=low, strong=high),
        "length_apgr": length,
        "apgr_over_length": None if ours is None or length is None else ours - length,
        "oracle_apgr": area(curve_of(setting.gains)),
        "cpt50": cpt(points, 0.5, weak=low, strong=high),
        "cpt80": cpt(points, 0.8, weak=low, strong=high),
        "share_at_95": share_at(points, 0.95 * high),
        "share_at_98": share_at(points, 0.98 * high),
    }


def _summary(rows: Sequence[Mapping[str, float | None]]) -> dict[str, Measure]:
    measures: dict[str, Measure] = {}
    for key in rows[0]:
        measures |= spread(key, [row[key] for row in rows], unit=_UNITS.get(key, _UNITS["apgr"]))
    return measures


def _promise_summary(kept: Sequence[Kept], *, window: int, loss: float) -> dict[str, Measure]:
    broken = sum(one.true_loss > loss for one in kept)
    exceeded = sum(one.other_loss > loss for one in kept)
    labels: list[float | None] = [1000.0 * one.labels / window for one in kept]
    return {
        **spread("saved", [one.saved for one in kept], unit=_UNITS["saved"]),
        **spread("labels_per_1000", labels, unit=_UNITS["labels_per_1000"]),
        "promise_broken": Measure(value=float(broken), unit="splits"),
        "promise_exceeded": Measure(value=float(exceeded), unit="splits"),
        "certified": Measure(value=sum(bool(one.rule) for one in kept) / len(kept), unit="share"),
        "certificate_gap": Measure(value=max(one.gap for one in kept), unit="capital"),
        "window": Measure(value=float(window), unit="questions"),
    }
