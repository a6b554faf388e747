from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.agents.test_llm import MODEL, PRICES, answer_truly, letter, settings
from tests.contracts.agent import AgentContract
from tests.desk import DESK, REFERENCES
from tests.loopback import Loopback, Script, choosing, completion, serving
from trimtab.agents.llm import LLMAgent, open_chat_model, open_recording
from trimtab.agents.replay import StructuredChatModel
from trimtab.domains.choices import ChoiceState
from trimtab.errors import ConfigError, InputError, RecordingMissing
from trimtab.protocols import AnyDomain
from trimtab.records import Prediction

STATES = [ChoiceState(text) for text in REFERENCES]


@contextmanager
def recording(path: Path, script: Script, *, letters: bool = False) -> Iterator[LLMAgent]:
    with (
        serving(script) as server,
        open_chat_model(settings(server.url), record_to=path, command="trimtab record") as opened,
    ):
        yield LLMAgent(DESK, opened.model, model_id=MODEL, prices=PRICES, letters=letters)


def playing(path: Path, *, letters: bool = False) -> LLMAgent:
    opened = open_recording(path)
    return LLMAgent(DESK, opened.model, model_id=opened.model_id, prices=PRICES, letters=letters)


def record_truth(path: Path) -> list[Prediction]:
    with recording(path, answer_truly) as agent:
        return agent.predict(STATES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def test_a_replay_answers_as_the_live_model_did(path: Path) -> None:
    live = record_truth(path)
    played = playing(path).predict(STATES)
    assert [p.action for p in played] == [p.action for p in live]
    assert [p.usage.cost_usd for p in played] == [p.usage.cost_usd for p in live]


def test_a_replay_tells_the_latency_of_the_live_call(path: Path) -> None:
    record_truth(path)
    entry = json.loads(path.read_text().splitlines()[1])
    state = DESK.from_text(entry["asked"].split("\n")[1])
    assert playing(path).predict([state])[0].usage.latency_s == entry["latency_s"]


def test_a_replay_keeps_log_probabilities(path: Path) -> None:
    script = [letter("B", {"B": 0.6, "A": 0.1, "C": 0.3})]
    with recording(path, script, letters=True) as agent:
        live = agent.predict(STATES[:1])[0]
    played = playing(path, letters=True).predict(STATES[:1])[0]
    assert (played.confidence, played.probs) == (live.confidence, live.probs)


def test_an_unreadable_reply_is_replayed_with_its_second_ask(path: Path) -> None:
    with recording(path, [completion("hm"), choosing("refund")]) as agent:
        live = agent.predict(STATES[:1])[0]
    agent = playing(path)
    played = agent.predict(STATES[:1])[0]
    assert (played.action, played.usage.prompt_tokens) == (live.action, live.usage.prompt_tokens)
    assert agent.counts["parse_errors"] == 1


def test_a_question_without_recording_is_an_error(path: Path) -> None:
    record_truth(path)
    with pytest.raises(RecordingMissing, match="trimtab record"):
        playing(path).predict([ChoiceState("what else")])


def test_other_parameters_are_another_question(path: Path) -> None:
    record_truth(path)
    with pytest.raises(RecordingMissing):
        playing(path, letters=True).predict(STATES[:1])


def test_the_file_names_model_command_time_and_schema(path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)  # the header keeps whole seconds
    record_truth(path)
    after = datetime.now(UTC)
    header = json.loads(path.read_text().splitlines()[0])
    created_at = datetime.fromisoformat(header.pop("created_at"))
    assert header == {
        "schema": "trimtab.recording/1",
        "model_id": MODEL,
        "command": "trimtab record",
    }
    assert before <= created_at <= after


def test_a_recording_is_never_overwritten(path: Path) -> None:
    record_truth(path)
    kept = path.read_text()
    with pytest.raises(ConfigError, match="exists"):
        record_truth(path)
    assert path.read_text() == kept


def test_a_recording_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        record_truth(tmp_path / "file" / "answers.jsonl")


def test_an_absent_recording_is_an_error(path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        open_recording(path)


GOOD_HEADER = json.dumps(
    {
        "schema": "trimtab.recording/1",
        "model_id": MODEL,
        "command": "trimtab record",
        "created_at": "2026-01-01T00:00:00+00:00",
    }
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("{}\n", "line 1"),
        ("no JSON\n", "line 1"),
        (GOOD_HEADER.replace("recording/1", "recording/9"), "recording/9"),
        (GOOD_HEADER + "\n{}\n", "line 2"),
        (GOOD_HEADER + '\n{"question": "x", "message": {"con', "line 2"),
    ],
)
def test_a_damaged_recording_is_refused_with_its_line(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        open_recording(path)


def test_other_ways_to_structure_output_are_refused(path: Path) -> None:
    path.write_text(GOOD_HEADER)
    model = open_recording(path).model
    assert isinstance(model, StructuredChatModel)
    with pytest.raises(ConfigError, match="json_schema"):
        model.with_structured_output({"title": "action"}, method="function_calling")


def test_what_is_sent_is_the_same_with_and_without_a_recorder(path: Path) -> None:
    def body(server: Loopback, record_to: Path | None) -> dict[str, object]:
        with open_chat_model(settings(server.url), record_to=record_to) as opened:
            LLMAgent(DESK, opened.model, model_id=MODEL, prices=PRICES).predict(STATES[:1])
        return server.requests[-1].body

    with serving(answer_truly) as server:
        assert body(server, path) == body(server, None)


class TestReplayKeepsTheContract(AgentContract):
    @pytest.fixture
    def agent(self, path: Path) -> LLMAgent:
        record_truth(path)
        return playing(path)

    @pytest.fixture
    def domain(self) -> AnyDomain:
        return DESK

    @pytest.fixture
    def states(self) -> Sequence[ChoiceState]:
        return STATES
