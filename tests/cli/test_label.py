from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.evals.promised import cold_start
from tests.evals.traffic import Row, decision, llm, small
from trimtab.cli.label import label
from trimtab.errors import InputError, LedgerError
from trimtab.evals.items import NEITHER
from trimtab.evals.pairs import uniform_pairs
from trimtab.ledger import SqliteLedger
from trimtab.release.bundle import load_shipped

app = typer.Typer()
app.command()(label)


def written(path: Path, rows: list[Row]) -> Path:
    with SqliteLedger(path) as ledger:
        for made, given in rows:
            ledger.append(made)
            if given is not None:
                ledger.resolve(given)
    return path


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return written(tmp_path / "ledger.sqlite", cold_start(40, labelled=False))


def run(ledger: Path, keys: str, *more: str) -> tuple[Result, dict[str, Any]]:
    arguments = ["--domain", "promised", "--ledger", str(ledger), "--json", *more]
    result = CliRunner().invoke(app, arguments, input=keys, catch_exceptions=False)
    return result, json.loads(result.stdout.splitlines()[-1])


def rows(ledger: Path) -> list[Row]:
    with SqliteLedger(ledger, create=False) as opened:
        return list(opened.scan(domain="promised"))


def missing(ledger: Path) -> list[str]:
    return [p.decision.decision_id for p in uniform_pairs(rows(ledger)) if p.needs_label]


def test_only_differing_answers_without_outcome_are_asked_about(ledger: Path) -> None:
    wanted = missing(ledger)
    _, counts = run(ledger, "1\n" * 100)
    assert 0 < len(wanted) < 40
    assert (counts["labelled"], counts["left"]) == (len(wanted), 0)
    assert missing(ledger) == []
    assert [made.decision_id for made, given in rows(ledger) if given is not None] == wanted


def test_a_label_is_an_outcome_of_a_user(ledger: Path) -> None:
    first = missing(ledger)[0]
    result, _ = run(ledger, "1\nq\n")
    [(made, given)] = [row for row in rows(ledger) if row[0].decision_id == first]
    assert given is not None
    assert given.source == "user"
    assert given.reward == float(given.reference == made.answer)
    assert f"  1  {given.reference}" in result.stderr


def test_the_oldest_comes_first_and_the_next_call_goes_on(ledger: Path) -> None:
    wanted = missing(ledger)
    _, first = run(ledger, "1\n2\nq\n")
    assert missing(ledger) == wanted[2:]
    assert (first["labelled"], first["left"]) == (2, len(wanted) - 2)
    _, second = run(ledger, "1\n", "--limit", "1")
    assert second["labelled"] == 1
    assert missing(ledger) == wanted[3:]


def test_skipped_requests_stay_open(ledger: Path) -> None:
    wanted = missing(ledger)
    _, counts = run(ledger, "s\n1\n")
    assert (counts["labelled"], counts["skipped"], counts["left"]) == (1, 1, len(wanted) - 1)
    assert missing(ledger) == [wanted[0], *wanted[2:]]


def test_neither_is_a_gain_of_0(ledger: Path) -> None:
    first = missing(ledger)[0]
    run(ledger, "n\n")
    [pair] = [p for p in uniform_pairs(rows(ledger)) if p.decision.decision_id == first]
    assert (pair.gain, pair.differs) == (0.0, True)
    [given] = [given for _, given in rows(ledger) if given is not None]
    assert (given.reward, given.reference) == (0.0, NEITHER)


def test_another_label_is_checked_against_those_seen(ledger: Path) -> None:
    result, counts = run(ledger, "o\nsurch\no\nOut_Of_Scope\n")
    assert "'surch' is no answer that the ledger has seen" in result.stderr.replace("\n", "")
    assert counts["labelled"] == 1
    [given] = [given for _, given in rows(ledger) if given is not None]
    assert given.reference == "out_of_scope"


def test_an_unknown_key_explains_the_keys(ledger: Path) -> None:
    result, counts = run(ledger, "x\n\n1\n")
    assert result.stderr.count("that one is right") == 3
    assert counts["labelled"] == 1


def test_the_order_is_drawn_and_names_nobody(ledger: Path) -> None:
    result, _ = run(ledger, "1\n" * 100)
    assert "policy" not in result.stderr
    assert "llm" not in result.stderr
    labels = {p.decision.decision_id: p for p in uniform_pairs(rows(ledger)) if p.differs}
    given = {made.decision_id: g for made, g in rows(ledger) if g is not None}
    shown = [given[number].reward for number in labels]
    # all keys were 1: the LLM's answer, which was shown to the caller, is not always the first
    assert 0.0 < sum(shown) / len(shown) < 1.0


def test_answers_without_words_are_counted_not_shown(tmp_path: Path) -> None:
    made = decision(small(3), llm(1), shown="llm", reason="uncertified", domain="promised")
    path = written(tmp_path / "one.sqlite", [(made, None)])
    result, counts = run(path, "1\n")
    assert counts == {"schema": "trimtab.label/1", "labelled": 0, "skipped": 0, "left": 1}
    assert "1 requests cannot be shown" in result.stderr


def test_text_cannot_steer_the_terminal(tmp_path: Path) -> None:
    made = decision(small(0), llm(1), shown="llm", reason="uncertified", domain="promised")
    known = decision(small(0), shown="policy", domain="promised", number=1)
    path = written(
        tmp_path / "evil.sqlite",
        [(replace(made, state="[red]pay\x1b[2J me\u202e"), None), (known, None)],
    )
    result, _ = run(path, "q\n")
    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr
    assert "[red]pay" in result.stderr


def test_people_read_a_sentence(ledger: Path) -> None:
    arguments = ["--domain", "promised", "--ledger", str(ledger)]
    result = CliRunner().invoke(app, arguments, input="q\n", catch_exceptions=False)
    assert result.stdout == ""
    assert f"0 labelled, 0 skipped, {len(missing(ledger))} left" in result.stderr


def test_an_unknown_domain_and_a_missing_ledger_are_named(ledger: Path, tmp_path: Path) -> None:
    invoke = CliRunner().invoke
    with pytest.raises(InputError, match="nowhere"):
        invoke(app, ["--domain", "nowhere", "--ledger", str(ledger)], catch_exceptions=False)
    none = str(tmp_path / "none.sqlite")
    with pytest.raises(LedgerError):
        invoke(app, ["--domain", "promised", "--ledger", none], catch_exceptions=False)


def test_the_bundle_that_answered_knows_every_label(tmp_path: Path) -> None:
    shipped = load_shipped("assistant")
    labels = shipped.spec["domain"]["labels"]
    made = replace(
        decision(small(3), llm(1), shown="llm", reason="uncertified", labels=tuple(labels)),
        bundle_id=shipped.bundle.bundle_id,
    )
    path = written(tmp_path / "ledger.sqlite", [(made, None)])
    arguments = ["--domain", "assistant", "--ledger", str(path), "--json"]
    result = CliRunner().invoke(
        app, arguments, input=f"o\n{labels[0].upper()}\n", catch_exceptions=False
    )
    assert labels[3] in result.stderr
    with SqliteLedger(path, create=False) as opened:
        [(_, given)] = opened.scan()
    assert given is not None
    assert (given.reference, given.reward) == (labels[0], 0.0)


def test_a_bundle_of_other_weights_has_nothing_to_label(tmp_path: Path) -> None:
    made = decision(small(0), llm(1), shown="llm", reason="uncertified")
    path = written(tmp_path / "ledger.sqlite", [(made, None)])
    folder = files("trimtab") / "shipped" / "bundles" / "assistant"
    arguments = ["--domain", "assistant", "--ledger", str(path), "--bundle", str(folder)]
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["left"] == 0
