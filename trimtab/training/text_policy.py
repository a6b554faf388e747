"""Trains the text ladder in seconds: from labelled texts to a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from trimtab.agents.known_texts import KnownTexts
from trimtab.agents.ladder import KIND, MINILM, STATIC, Ladder
from trimtab.agents.text_heads import head_inputs
from trimtab.datasets.tables import LabelledText, conflicts
from trimtab.domains.choices import Choices, normalise
from trimtab.errors import ConfigError, InputError
from trimtab.protocols import Array, Embedder
from trimtab.records import Bundle
from trimtab.release.bundle import pack
from trimtab.training.ladder_fit import (
    Progress,
    Rows,
    TextPolicyConfig,
    calibrate,
    fit_heads,
    out_of_fold_logits,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedTextPolicy:
    """A trained ladder, not yet packed.

    Attributes:
        thresholds: ``accept`` for the router, ``static_accept`` for skipping MiniLM.
        metrics: what was measured on the held-out rows.
    """

    domain: Choices
    ladder: Ladder
    known: KnownTexts
    embedder_names: Mapping[str, str]
    thresholds: Mapping[str, float]
    metrics: Mapping[str, float]
    seed: int

    def pack(self, folder: Path, *, parent: str | None = None) -> Bundle:
        """Write the bundle into a folder; the same training gives the same bundle id."""
        return pack(
            folder,
            domain=self.domain.name,
            files=self.ladder.files() | self.known.files(),
            thresholds=self.thresholds,
            metrics=self.metrics,
            card=self._card(),
            spec={
                "kind": KIND,
                "domain": self.domain.to_json(),
                "embedders": dict(self.embedder_names),
                "ladder": self.ladder.spec(),
                "seed": self.seed,
            },
            parent=parent,
        )

    def _card(self) -> str:
        rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in self.metrics.items())
        cuts = "\n".join(f"| {name} | {value:.4f} |" for name, value in self.thresholds.items())
        held = "a validation split" if self.metrics["held_out_folds"] == 0 else "out-of-fold rows"
        accept = self.thresholds["accept"]
        reached = (
            "" if accept < 1.0 else "\nNo threshold reaches the target: `accept` 1 means never.\n"
        )
        return (
            f"# Text policy for {self.domain.name}\n\n"
            f"Chooses one of {self.domain.num_actions} labels; trained on {len(self.known.texts)} "
            f"labelled texts, seed {self.seed}. The static rung answers with its "
            f"{self.ladder.static.base} tier. The bundle holds the training texts.\n\n"
            f"Measured on {held}, on which temperatures, gates and thresholds were also fitted:\n\n"
            f"| metric | value |\n|---|---|\n{rows}\n\n"
            f"| threshold | value |\n|---|---|\n{cuts}\n{reached}"
        )


def train_text_policy(
    domain: Choices,
    samples: Sequence[LabelledText],
    *,
    validation: Sequence[LabelledText] = (),
    embedders: Mapping[str, Embedder],
    config: TextPolicyConfig,
    seed: int,
    progress: Progress | None = None,
) -> TrainedTextPolicy:
    """Return the ladder trained on labelled texts; deterministic in ``seed``, one thread.

    Args:
        domain: what is chosen from; each of its labels needs a sample.
        samples: the training rows.
        validation: rows for temperatures, gates and thresholds; out-of-fold rows if empty.
        embedders: ``wordllama``, and ``minilm`` unless the static rung is all that is wanted.
        config: see :class:`TextPolicyConfig`.
        seed: of every draw.
        progress: called with one line before each part.

    Raises:
        InputError: a label is not the domain's or has no sample, or there are too few rows.
        ConfigError: ``wordllama`` is not among the embedders.
    """
    say = progress or _silent
    if STATIC not in embedders:
        raise ConfigError(f"embedders={sorted(embedders)} lacks {STATIC!r}; load it and pass it")
    used = {name: embedders[name] for name in (STATIC, MINILM) if name in embedders}
    _check_labels(domain, samples)
    if not validation:
        _check_folds(domain, samples, config.folds)
    twice = conflicts(samples)
    if twice:
        say(f"{len(twice)} texts carry two labels; they are left out of the exact cache")
    with threadpool_limits(limits=1):
        say(f"embedding {len(samples)} texts with {', '.join(used)}")
        vectors = {name: e.embed([s.text for s in samples]) for name, e in used.items()}
        rows = _rows(domain, samples, vectors)
        say("training the heads")
        heads = fit_heads(rows, num_labels=domain.num_actions, config=config, seed=seed)
        if validation:
            held = _rows(
                domain,
                validation,
                {name: e.embed([s.text for s in validation]) for name, e in used.items()},
            )
            logits = heads.logits(held)
        else:
            held = rows
            logits = out_of_fold_logits(
                rows, num_labels=domain.num_actions, config=config, seed=seed, progress=say
            )
        say(f"calibrating on {len(held.keys)} held-out rows")
        ladder, thresholds, metrics = calibrate(heads, logits, held.labels, config)
    if metrics["accepted_coverage"] == 0.0:
        say("nothing reaches the target: without the LLM no answer counts as sure")
    metrics["held_out_folds"] = 0.0 if validation else float(config.folds)
    return TrainedTextPolicy(
        domain=domain,
        ladder=ladder,
        known=KnownTexts(
            texts=tuple(s.text for s in samples),
            labels=tuple(s.label for s in samples),
            vectors=vectors,
        ),
        embedder_names={name: e.name for name, e in used.items()},
        thresholds=thresholds,
        metrics=metrics,
        seed=seed,
    )


def _silent(line: str) -> None:
    """Take a progress line and show it nowhere."""


def _check_labels(domain: Choices, samples: Sequence[LabelledText]) -> None:
    present = {domain.index(sample.label) for sample in samples}
    absent = [label for i, label in enumerate(domain.labels) if i not in present]
    if absent:
        raise InputError(
            f"labels {absent} of domain {domain.name!r} have no training text; add rows for them "
            f"or remove them from the domain"
        )


def _check_folds(domain: Choices, samples: Sequence[LabelledText], folds: int) -> None:
    if len(samples) < folds:
        raise InputError(
            f"domain {domain.name!r} has {len(samples)} rows: at least {folds} rows per domain are "
            "needed, so that some can be held out; add labelled rows, best several per label"
        )


def _rows(domain: Choices, samples: Sequence[LabelledText], vectors: Mapping[str, Array]) -> Rows:
    texts = [sample.text for sample in samples]
    return Rows(
        tuple(normalise(text) for text in texts),
        np.array([domain.index(sample.label) for sample in samples], dtype=np.int64),
        {name: head_inputs(v, texts) for name, v in vectors.items()},
    )
