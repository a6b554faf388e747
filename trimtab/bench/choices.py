"""``trimtab bench choices``: trains the text ladder on a table and measures every tier of it.

Nothing is chosen by the test rows: heads learn from the
training part, temperatures, gates and thresholds from the validation part or out of fold.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.ladder import MINILM, STATIC
from trimtab.agents.policy import TextPolicy
from trimtab.bench.choices_cost import cost_measures
from trimtab.bench.choices_data import ChoicesTable, shipped_table, user_table
from trimtab.bench.choices_measures import (
    cascade_measures,
    ladder_measures,
    nearness_measures,
    see,
    tier_measures,
)
from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.embedding import CachedEmbedder, load_embedder
from trimtab.errors import ConfigError
from trimtab.protocols import Embedder
from trimtab.release.bundle import load
from trimtab.settings import load_settings
from trimtab.training.ladder_fit import TextPolicyConfig
from trimtab.training.text_policy import train_text_policy

_CLINC_100 = (
    Bar(key="static.accuracy", at_least=0.905),
    Bar(key="minilm.accuracy", at_least=0.95),
    Bar(key="minilm.auroc_oos", at_least=0.955),
)
_CLINC_20 = (
    Bar(key="static.accuracy", at_least=0.86),
    Bar(key="minilm.accuracy", at_least=0.925),
)
_CLINC = (
    Bar(key="static.cpu_ms", at_most=0.15),
    Bar(key="minilm.ece", at_most=0.015),
    Bar(key="minilm.auroc_correct", at_least=0.92),
    Bar(key="minilm.cpu_vs_bare", at_most=2.0),
    Bar(key="agreement_gain", at_least=0.015),
    Bar(key="cascade_60.accuracy_loss", at_most=0.003),
    Bar(key="cascade_60.cpu_share", at_most=0.5),
)
_SHIPPED = (
    Bar(key="accepted_accuracy", at_least=0.95),
    Bar(key="accepted_coverage", at_least=0.55),
    Bar(key="top3", at_least=0.95),
)
BARS: Mapping[str, Sequence[Bar]] = {
    "clinc150/100": (*_CLINC_100, *_CLINC),
    "clinc150/20": (*_CLINC_20, *_CLINC),
    "shipped": _SHIPPED,
}


def run(
    *,
    train: Path | None = None,
    test: Path | None = None,
    text_column: str = "text",
    label_column: str = "label",
    split_column: str | None = None,
    oos_label: str | None = None,
    per_label: int | None = None,
    seed: int = 0,
    embedders: Mapping[str, Embedder] | None = None,
    config: TextPolicyConfig | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Return the benchmark of the text ladder on a table, or on the shipped set without one.

    Args:
        train: table of the training rows (and of the validation rows, by split).
        test: table of the test rows; may be the same file where ``split_column`` is given.
        text_column: column of the texts.
        label_column: column of the labels.
        split_column: column of train, val, test; splits that begin with ``oos_`` are out of
            scope and used only in ``auroc_oos``.
        oos_label: label of texts out of scope, which never becomes a class.
        per_label: training rows per label at most, drawn by the seed.
        seed: of every draw.
        embedders: ``wordllama`` and ``minilm``; those installed if None.
        config: of the training; its defaults if None.
        progress: called with one line before each part.
    """
    table = _table(
        train,
        test,
        text_column=text_column,
        label_column=label_column,
        split_column=split_column,
        oos_label=oos_label,
        per_label=per_label,
        seed=seed,
    )
    settings = load_settings()
    plain = embedders or {
        STATIC: load_embedder("wordllama", models=settings.models),
        MINILM: load_embedder("minilm", models=settings.models),
    }
    cached = dict(plain)
    if embedders is None:
        cached[MINILM] = CachedEmbedder(plain[MINILM], settings.home / "embeddings.sqlite")
    trained = train_text_policy(
        table.domain,
        table.train,
        validation=table.validation,
        embedders=cached,
        config=config or TextPolicyConfig(),
        seed=seed,
        progress=progress,
    )
    with tempfile.TemporaryDirectory() as folder:
        trained.pack(Path(folder) / "bundle")
        bundle = load(Path(folder) / "bundle")
        policies = [
            TextPolicy.from_bundle(bundle, embedders=found, usd_per_cpu_s=settings.usd_per_cpu_s)
            for found in (cached, plain)
        ]
    rng = np.random.default_rng(seed)
    seen = see(policies[0], table, cached)
    measures = ladder_measures(seen, trained.thresholds["accept"], rng)
    measures |= tier_measures(seen, rng)
    measures |= cost_measures(policies[1], plain, table, seed=seed)
    measures |= cascade_measures(seen, measures, rng)
    measures |= nearness_measures(table, cached[MINILM])
    measures["known_in_train"] = Measure(value=float(table.known_in_train), unit="rows")
    measures["training_rows"] = Measure(value=float(len(table.train)), unit="rows")
    return bench_result(
        "choices",
        data=table.name,
        n=len(table.test),
        seed=seed,
        measures=measures,
        bars=BARS.get(table.bars, ()),
        packages=("numpy", "onnxruntime", "scikit-learn", "tokenizers"),
    )


def _table(
    train: Path | None,
    test: Path | None,
    *,
    text_column: str,
    label_column: str,
    split_column: str | None,
    oos_label: str | None,
    per_label: int | None,
    seed: int,
) -> ChoicesTable:
    if train is None and test is None:
        return shipped_table(per_label=per_label, seed=seed)
    if train is None or test is None:
        raise ConfigError(
            f"--train {train} --test {test}: give both, or neither for the shipped set"
        )
    return user_table(
        train,
        test,
        text_column=text_column,
        label_column=label_column,
        split_column=split_column,
        oos_label=oos_label,
        per_label=per_label,
        seed=seed,
    )
