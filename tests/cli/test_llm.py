from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.desk import DESK, REFERENCES, ReferenceRetriever
from tests.loopback import Reply, Request, Script, choosing, completion, refusing, serving
from trimtab.agents.llm import LLMAgent, open_recording
from trimtab.cli.llm import draw, llm_app, record_answers
from trimtab.datasets.tables import LabelledText
from trimtab.errors import ConfigError, InputError, LLMUnavailable, PriceUnknown, UsageMissing
from trimtab.pricing import load_prices
from trimtab.records import Prediction
from trimtab.settings import Settings

MODEL = "gpt-4o-mini-2024-07-18"
ROWS = [LabelledText(text, label) for text, label in REFERENCES.items()]


def settings(folder: Path, url: str) -> Settings:
    return Settings(
        home=folder,
        ledger=folder / "ledger.sqlite",
        certificates=folder / "certificates",
        openai_base_url=url,
        llm_model=MODEL,
    )


def record(folder: Path, script: Script) -> dict[str, object]:
    with serving(script) as server:
        return record_answers(
            DESK,
            ReferenceRetriever(),
            ROWS,
            out=folder / "answers.jsonl",
            settings=settings(folder, server.url),
            few_shot=2,
            command="trimtab record",
            progress=lambda _: None,
        )


def test_a_run_is_recorded_and_summed_up(tmp_path: Path) -> None:
    report = record(tmp_path, [choosing("refund")] * len(ROWS))
    assert report == {
        "recording": str(tmp_path / "answers.jsonl"),
        "model": MODEL,
        "asked": 6,
        "right": 2,
        "unreadable": 0,
        "prompt_tokens": 300,
        "completion_tokens": 30,
        "latency_s": report["latency_s"],
        "cost_usd": pytest.approx(6 * (40 * 0.15 + 10 * 0.075 + 5 * 0.6) / 1e6),
    }


def test_the_recording_answers_the_same_questions(tmp_path: Path) -> None:
    record(tmp_path, [choosing("refund")] * len(ROWS))
    opened = open_recording(tmp_path / "answers.jsonl")
    prices = load_prices(settings(tmp_path, "unused"))
    agent = LLMAgent(DESK, opened.model, model_id=opened.model_id, prices=prices)
    context = [ReferenceRetriever().retrieve(row.text, k=2) for row in ROWS]
    answers = agent.attempt([DESK.from_text(row.text) for row in ROWS], context=context)
    assert all(isinstance(answer, Prediction) for answer in answers)


def test_an_unreadable_answer_does_not_end_the_run(tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        asked = [m["content"] for m in request.body["messages"] if m["role"] == "user"]
        return completion("hm") if "crashes" in "".join(asked) else choosing("refund")

    report = record(tmp_path, answer)
    assert (report["asked"], report["unreadable"]) == (6, 1)


@pytest.mark.parametrize("status", [401, 404])
def test_a_server_that_refuses_ends_the_run(tmp_path: Path, status: int) -> None:
    with pytest.raises(ConfigError):
        record(tmp_path, [choosing("refund"), refusing(status)])


def test_an_account_that_is_used_up_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(LLMUnavailable, match="used up"):
        record(tmp_path, [refusing(429, "insufficient_quota")])


def test_a_reply_without_token_counts_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(UsageMissing):
        record(tmp_path, [choosing("refund"), choosing("refund", usage=None)])


def test_a_model_without_a_price_ends_the_run(tmp_path: Path) -> None:
    with serving([choosing("refund")]) as server, pytest.raises(PriceUnknown):
        record_answers(
            DESK,
            None,
            ROWS,
            out=tmp_path / "answers.jsonl",
            settings=replace(settings(tmp_path, server.url), llm_model="some-model"),
            few_shot=0,
            command="trimtab record",
            progress=lambda _: None,
        )


def test_rows_are_drawn_without_repetition_and_by_seed() -> None:
    first = draw(ROWS, n=4, seed=0)
    assert len(set(first)) == 4
    assert first == draw(ROWS, n=4, seed=0)
    assert first != draw(ROWS, n=4, seed=1)


def test_more_rows_than_there_are_cannot_be_drawn() -> None:
    with pytest.raises(InputError, match="n=7 requests, but there are only 6"):
        draw(ROWS, n=7, seed=0)


def test_a_port_in_use_ends_the_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(llm_app, ["serve", "--port", str(port)])
    assert isinstance(result.exception, ConfigError)
    assert str(port) in str(result.exception)


def test_a_port_that_cannot_be_is_refused() -> None:
    assert CliRunner().invoke(llm_app, ["serve", "--port", "70000"]).exit_code == 2
