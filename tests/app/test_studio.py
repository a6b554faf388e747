"""The real LangGraph SDK against ``langgraph dev``, started as ``make studio`` starts it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient

from tests.loopback import Loopback, choosing, serving
from trimtab.graphs import research
from trimtab.graphs.decide import DESCRIPTIONS, SUCCESSORS
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger
from trimtab.records import Decision

pytest.importorskip("langgraph_api", reason="needs the extra studio")

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0
MODEL = "gpt-4o-mini-2024-07-18"
TEXT = "put a board game evening into my calendar for friday"
OTHER = "solve this sudoku for me"
PUZZLE = "4..2....3..1....2..1...6..2.5..6...."
SOLUTION = "451263623541346125215436132654564312"
LLM_LABEL = "out_of_scope"
FORKS = [(node, after) for node, following in SUCCESSORS.items() for after in following]


@dataclass
class Server:
    """A running server: its address, its ledger, and the LLM that it asks."""

    url: str
    sdk: SyncLangGraphClient
    ledger: Path
    llm: Loopback
    log: Path

    def assistant(self, **context: Any) -> str:
        made = self.sdk.assistants.create("decide", context=context, name=str(context))
        return made["assistant_id"]

    def thread(self) -> str:
        return self.sdk.threads.create()["thread_id"]

    def rows(self) -> list[Decision]:
        """Return what the ledger holds once everything is durable: the probe flushes it."""
        assert self.get("/readyz")[0] == 200
        with SqliteLedger(self.ledger, create=False) as ledger:
            return [decision for decision, _ in ledger.scan()]

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("studio")
    with (
        serving(lambda request: choosing(LLM_LABEL)) as llm,
        running(folder, OPENAI_BASE_URL=llm.url, TRIMTAB_LLM_MODEL=MODEL) as url,
        get_sync_client(url=url, timeout=60) as sdk,
    ):
        yield Server(url=url, sdk=sdk, ledger=folder / "ledger.sqlite", llm=llm, log=folder / "log")


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[str]:
    """Start the server in a folder of its own: what it keeps of an earlier one wedges its queue."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "log"
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--config", str(ROOT / "langgraph.json")],
            cwd=folder,
            env={
                **os.environ,
                "TRIMTAB_LEDGER": str(folder / "ledger.sqlite"),
                "TRIMTAB_CERTIFICATES": str(folder / "certificates"),
                **environment,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_ok(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        # the whole group: the server starts helpers
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_ok(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    pause = threading.Event()
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/ok")
                if connection.getresponse().status == 200:
                    return
        except (ConnectionError, http.client.HTTPException, TimeoutError):
            pass
        pause.wait(0.1)
    pytest.fail(f"the server did not answer; its log: {log.read_text()[-3000:]}")


def answer_of(final: Any) -> dict[str, Any]:
    assert "__error__" not in final, final
    decision: dict[str, Any] = final["decision"]
    return decision


def test_form_describes_every_field(server: Server) -> None:
    schemas = server.sdk.assistants.get_schemas(server.assistant())
    fields = schemas["context_schema"]["properties"]
    assert set(fields) == set(DecideContext.__dataclass_fields__)
    assert all(field["description"] for field in fields.values())
    assert "neural_only" in fields["mode"]["enum"]
    assert schemas["input_schema"]["properties"]["text"]["description"]


def test_graph_is_drawn_with_descriptions(server: Server) -> None:
    drawn = server.sdk.assistants.get_graph(server.assistant())
    described = {node["id"]: node.get("metadata", {}).get("description") for node in drawn["nodes"]}
    assert {name: described.get(name) for name in DESCRIPTIONS} == DESCRIPTIONS


def test_papers_are_asked_through_the_server(server: Server) -> None:
    """Mode ``neural_only``: nothing is opened but the corpus, and no LLM is asked."""
    graph = server.sdk.assistants.create("research", context={"mode": "neural_only"})
    drawn = server.sdk.assistants.get_graph(graph["assistant_id"])
    described = {node["id"]: node.get("metadata", {}).get("description") for node in drawn["nodes"]}
    assert {name: described.get(name) for name in research.DESCRIPTIONS} == research.DESCRIPTIONS
    question = {"question": "Who wrote the CP-Router paper?"}
    final = server.sdk.runs.wait(None, graph["assistant_id"], input=question)
    assert "__error__" not in final, final
    assert "Jiayuan Su" in final["answer"]["text"]
    bad = server.sdk.runs.wait(
        None, graph["assistant_id"], input={"question": " "}, raise_error=False
    )
    assert "question" in str(bad)


def test_assistants_route_as_their_contexts_say(server: Server) -> None:
    routes = {
        mode: answer_of(
            server.sdk.runs.wait(None, server.assistant(mode=mode), input={"text": TEXT})
        )["route"]
        for mode in ("neural_only", "llm_only")
    }
    assert routes["neural_only"]["agent"] == "policy"
    assert routes["llm_only"]["agent"] == "llm"
    assert server.llm.requests


def test_puzzle_is_solved_by_the_node_of_its_net(server: Server) -> None:
    puzzle = server.assistant(domain="sudoku6", mode="neural_only")
    steps: list[str] = []
    last: dict[str, Any] = {}
    for part in server.sdk.runs.stream(
        None, puzzle, input={"text": PUZZLE}, stream_mode=["updates", "values"]
    ):
        if part.event == "updates":
            steps += part.data
        elif part.event == "values":
            last = part.data
    assert steps == ["reset", "meta_controller", "trm", "meta_controller", "route", "record"]
    decision = answer_of(last)
    assert decision["answer"] == SOLUTION
    assert decision["predictions"][0]["trace"]["grids"][-1] == SOLUTION


def test_bad_context_and_input_are_named(server: Server) -> None:
    for context, text, named in (
        ({"domain": "nowhere"}, TEXT, "nowhere"),
        ({"mode": "fast"}, TEXT, "mode"),
        ({"mode": "neural_only"}, "  ", "text"),
        ({"domain": "sudoku6", "mode": "neural_only"}, "." * 36, "more than one solution"),
    ):
        final = server.sdk.runs.wait(
            None,
            server.assistant(),
            input={"text": text},
            context=context,
            raise_error=False,
        )
        assert isinstance(final, dict)
        assert named in final["__error__"]["message"]


def test_stream_tells_every_step_once(server: Server) -> None:
    thread = server.thread()
    steps: list[str] = []
    events: list[dict[str, Any]] = []
    last: dict[str, Any] = {}
    for part in server.sdk.runs.stream(
        thread,
        server.assistant(mode="llm_only"),
        input={"text": TEXT},
        stream_mode=["updates", "custom", "values"],
    ):
        if part.event == "updates":
            steps += part.data
        elif part.event == "custom":
            events.append(part.data)
        elif part.event == "values":
            last = part.data
    assert steps == ["reset", "route", "retrieve", "llm", "record"]
    assert [event["node"] for event in events] == steps
    assert all(event["text"] for event in events)
    told = next(event for event in events if event["node"] == "llm")
    assert told["agent"] == "llm"
    assert told["price_usd"] > 0.0
    assert len(last["predictions"]) == steps.count("llm")


def test_executions_of_nodes_give_as_many_records(server: Server) -> None:
    thread, assistant = server.thread(), server.assistant()
    final = server.sdk.runs.wait(thread, assistant, input={"text": TEXT})
    steps = [
        name
        for state in server.sdk.threads.get_history(thread, limit=50)
        for name in [task["name"] for task in state["tasks"]]
    ]
    assert isinstance(final, dict)
    assert len(final["steps"]) == steps.count("meta_controller")
    assert len(final["predictions"]) == steps.count("policy") + steps.count("llm")
    assert steps.count("record") == 1
    decision = answer_of(final)
    assert [row.decision_id for row in server.rows()].count(decision["decision_id"]) == 1


def test_two_requests_on_one_thread_do_not_leak(server: Server) -> None:
    thread, assistant = server.thread(), server.assistant(mode="neural_only")
    first = server.sdk.runs.wait(thread, assistant, input={"text": TEXT})
    second = server.sdk.runs.wait(thread, assistant, input={"text": OTHER})
    assert isinstance(second, dict)
    assert len(second["predictions"]) == 1
    assert answer_of(second)["state"] == OTHER
    assert answer_of(second)["decision_id"] != answer_of(first)["decision_id"]
    assert len(server.sdk.threads.get_history(thread, limit=50)) > len(DESCRIPTIONS)


def test_person_is_asked_asked_again_and_answers(server: Server) -> None:
    thread, assistant = server.thread(), server.assistant(expert="human", mode="llm_only")
    server.sdk.runs.wait(thread, assistant, input={"text": TEXT})
    asked = server.sdk.threads.get_state(thread)
    assert asked["next"] == ["human"]
    question = asked["tasks"][0]["interrupts"][0]["value"]
    assert question["text"] == TEXT
    assert question["problem"] is None
    assert json.loads(json.dumps(question)) == question
    server.sdk.runs.wait(thread, assistant, command={"resume": "nonsense"})
    again = server.sdk.threads.get_state(thread)["tasks"][0]["interrupts"][0]["value"]
    assert "nonsense" in again["problem"]
    label = question["options"][0]["label"]
    final = server.sdk.runs.wait(thread, assistant, command={"resume": label})
    assert answer_of(final)["answer"] == label
    assert answer_of(final)["route"]["reason"] == "human"


@pytest.fixture(scope="module")
def decided(server: Server) -> tuple[str, dict[str, Any]]:
    """A thread that went through every step but the person's."""
    thread = server.thread()
    final = server.sdk.runs.wait(thread, server.assistant(), input={"text": TEXT})
    return thread, answer_of(final)


@pytest.mark.parametrize(("node", "after"), FORKS)
def test_thread_is_forked_before_every_conditional_edge(
    server: Server, decided: tuple[str, dict[str, Any]], node: str, after: str
) -> None:
    thread, _ = decided
    forked = server.sdk.threads.update_state(thread, {"next": after}, as_node=node)
    state = server.sdk.threads.get_state(thread, checkpoint=forked["checkpoint"])
    assert state["next"] == [after]


def test_fork_runs_on_and_is_a_row_of_its_own(server: Server) -> None:
    thread, assistant = server.thread(), server.assistant(mode="neural_only")
    first = answer_of(server.sdk.runs.wait(thread, assistant, input={"text": TEXT}))
    server.sdk.threads.update_state(thread, {"next": "llm"}, as_node="route")
    fork = answer_of(server.sdk.runs.wait(thread, assistant, input=None))
    assert fork["route"]["agent"] == "llm"
    assert fork["decision_id"].startswith(first["decision_id"] + "-")
    stored = {row.decision_id: row.answer for row in server.rows()}
    assert stored[first["decision_id"]] == first["answer"]
    assert stored[fork["decision_id"]] == LLM_LABEL


def test_store_keeps_items(server: Server) -> None:
    server.sdk.store.put_item(["trimtab", "notes"], key="one", value={"label": "sudoku"})
    found = server.sdk.store.get_item(["trimtab", "notes"], key="one")
    assert found["value"] == {"label": "sudoku"}


def test_mounted_routes_share_client_and_ledger(server: Server) -> None:
    body = json.dumps({"text": TEXT, "mode": "neural_only"}).encode()
    request = urllib.request.Request(
        f"{server.url}/v1/decide", data=body, headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        decision = json.loads(answer.read())
    assert decision["decision_id"] in {row.decision_id for row in server.rows()}
    status, report = server.get("/v1/report")
    assert status == 200
    reported = sum(domain["n"] for domain in json.loads(report)["domains"])
    assert reported == len(server.rows())
    _, metrics = server.get("/metrics")
    counted = sum(
        float(line.split()[-1])
        for line in metrics.splitlines()
        if line.startswith("trimtab_decisions_total")
    )
    assert counted == reported
    assert json.loads(server.get("/readyz")[1]) == {"ready": True}


def test_page_of_another_site_may_not_call_the_server(server: Server) -> None:
    allowed = []
    for origin in ("https://smith.langchain.com", "https://evil.example"):
        request = urllib.request.Request(f"{server.url}/healthz", headers={"origin": origin})
        with urllib.request.urlopen(request, timeout=30) as answer:
            allowed.append(answer.headers.get("access-control-allow-origin"))
    assert allowed == ["https://smith.langchain.com", None]
    assert server.get("/healthz", host="rebound.example")[0] == 200
    assert server.get("/v1/report", host="rebound.example")[0] == 403
    assert server.get("/info", host="rebound.example")[0] == 403


def test_log_holds_no_error(server: Server) -> None:
    text = server.log.read_text()
    assert "BlockingError" not in text
    assert "Slow graph load" not in text
