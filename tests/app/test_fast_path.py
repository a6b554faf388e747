"""The fast path's way to a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.desk import TruthfulExpert, desk_serving
from trimtab import Trimtab
from trimtab.errors import IllegalAction
from trimtab.ledger import SqliteLedger
from trimtab.settings import load_settings


def test_callback_that_answers_illegally_is_told_and_not_asked_for_ever(tmp_path: Path) -> None:
    asked: list[Mapping[str, Any]] = []

    def ask(question: Mapping[str, Any]) -> str:
        asked.append(question)
        return "sales"

    with (
        SqliteLedger(tmp_path / "ledger.sqlite") as ledger,
        Trimtab(
            servings={"desk": desk_serving(TruthfulExpert())},
            ledger=ledger,
            ask_human=ask,
            settings=load_settings({"TRIMTAB_HOME": str(tmp_path)}),
        ) as client,
        pytest.raises(IllegalAction, match="sales"),
    ):
        client.decide("desk", "screen stays black", human=True)
    assert len(asked) == 1
