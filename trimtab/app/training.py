"""Trains the text tiers of a user's table and packs them into a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trimtab.app.serving import load_embedders
from trimtab.datasets.tables import LabelledText, read_table, shipped
from trimtab.domains.choices import Choices
from trimtab.records import Bundle
from trimtab.settings import Settings, load_settings
from trimtab.training.ladder_fit import TextPolicyConfig
from trimtab.training.text_policy import train_text_policy


def train_choices(
    table: Path | None,
    *,
    domain: str,
    out: Path,
    text_column: str = "text",
    label_column: str = "label",
    oos_label: str | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Callable[[str], None] | None = None,
) -> Bundle:
    """Return the bundle trained on a table of labelled texts and written to ``out``.

    Without a table the shipped set of that name is trained on.

    Raises:
        InputError: the table cannot be used; the message names file, row and remedy.
    """
    if table is None:
        own = shipped(domain)
        rows, choices = list(own.train), own.domain
    else:
        rows = read_table(table, text_column=text_column, label_column=label_column)
        labels = sorted({row.label for row in rows})
        choices = Choices(name=domain, labels=labels, out_of_scope=oos_label)
    return train_rows(
        rows,
        choices,
        out=out,
        seed=seed,
        settings=settings or load_settings(),
        progress=progress,
    )


def train_rows(
    rows: list[LabelledText],
    domain: Choices,
    *,
    out: Path,
    seed: int,
    settings: Settings,
    progress: Callable[[str], None] | None = None,
) -> Bundle:
    """Return the bundle trained on labelled texts of a domain and written to ``out``."""
    trained = train_text_policy(
        domain,
        rows,
        embedders=load_embedders(settings.models),
        config=TextPolicyConfig(),
        seed=seed,
        progress=progress,
    )
    return trained.pack(out)
