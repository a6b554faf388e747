"""Puzzles through the SDK and the graph: net, restarts, exact search, LLM, and exact truth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trimtab import Trimtab
from trimtab.agents.meta_controller import CheapestFirst
from trimtab.agents.promise import Promise
from trimtab.app.serving import SHIPPED, bundle_servings, shipped_bundle
from trimtab.app.truth import resolve_by_solver
from trimtab.datasets.puzzles import generate
from trimtab.domains.sudoku import Sudoku
from trimtab.errors import BundleError, InputError
from trimtab.graphs.decide import build
from trimtab.graphs.serving import Serving
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger
from trimtab.protocols import AnyAgent, AnyDomain
from trimtab.records import Passage, Prediction, Usage, decision_from_json, decision_to_json
from trimtab.release.bundle import load, pack
from trimtab.release.manifest import MANIFEST
from trimtab.settings import Settings, load_settings

DOMAIN = "sudoku6"
PUZZLE = Sudoku(6)
ROWS = generate(DOMAIN, 24, seed=3_000_003)
AGENTS = ["trm", "trm_restarts", "exact"]


class RowFiller:
    """Stands in for an LLM that fills every row with 1 to 6: a whole answer, and a wrong one."""

    name = "llm"
    reads_context = True

    def predict(
        self, states: Sequence[Any], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        return [
            Prediction(
                agent=self.name,
                action="123456" * 6,
                confidence=None,
                tier="smollm2-135m-instruct",
                usage=Usage(cost_usd=1e-3),
            )
            for _ in states
        ]


def filler(domain: AnyDomain) -> AnyAgent:
    return RowFiller()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings({"TRIMTAB_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture
def serving(settings: Settings) -> Serving:
    folder = shipped_bundle(DOMAIN)
    return bundle_servings({DOMAIN: folder}, settings=settings, expert=filler)[DOMAIN]


@pytest.fixture
def client(tmp_path: Path, settings: Settings) -> Iterator[Trimtab]:
    own = replace(settings, certificates=tmp_path / "certificates")
    with (
        SqliteLedger(tmp_path / "ledger.sqlite") as ledger,
        Trimtab(shipped=[DOMAIN], ledger=ledger, expert=filler, settings=own) as opened,
    ):
        yield opened


def climbing(client: Trimtab, serving: Serving, *, stop_at: float) -> Trimtab:
    """Return a client on the same ledger that stops at another confidence."""
    controller = serving.meta_controller
    assert isinstance(controller, CheapestFirst)
    served = replace(serving, meta_controller=replace(controller, stop_at=stop_at))
    return Trimtab(servings={DOMAIN: served}, ledger=client.ledger, settings=client.settings)


def test_shipped_net_solves_and_shows_its_grids(client: Trimtab) -> None:
    decisions = client.decide_many(DOMAIN, [row.question for row in ROWS], mode="neural_only")
    assert sum(d.answer == r.answer for d, r in zip(decisions, ROWS, strict=True)) >= 23
    for decision in decisions:
        assert [p.agent for p in decision.predictions] == AGENTS[: len(decision.predictions)]
        trace = decision.predictions[0].trace
        assert trace["grids"][trace["kept"] - 1] == decision.predictions[0].action
        assert len(trace["q"]) == len(trace["grids"])


def test_unsure_net_is_followed_by_restarts_and_a_proof(client: Trimtab, serving: Serving) -> None:
    with climbing(client, serving, stop_at=1.0) as careful:
        decision = careful.decide(DOMAIN, ROWS[0].question, mode="neural_only")
    assert [p.agent for p in decision.predictions] == AGENTS
    assert (decision.route.agent, decision.route.confidence) == ("exact", 1.0)
    assert decision.answer == ROWS[0].answer


def test_every_trace_is_plain_json_that_reads_back(client: Trimtab, serving: Serving) -> None:
    with climbing(client, serving, stop_at=1.0) as careful:
        for row in ROWS[:8]:
            decision = careful.decide(DOMAIN, row.question, mode="neural_only")
            text = json.dumps(decision_to_json(decision), allow_nan=False)
            assert decision_from_json(json.loads(text)) == decision
            careful.flush()
            assert careful.ledger.get(decision.decision_id) == decision


def test_nodes_of_the_compiled_graph_run(client: Trimtab, serving: Serving) -> None:
    with climbing(client, serving, stop_at=1.0) as careful:
        context = DecideContext(domain=DOMAIN, mode="neural_only")
        graph = build(careful.nodes)
        path = [
            node
            for update in graph.stream(
                {"text": ROWS[1].question}, context=context, stream_mode="updates"
            )
            for node in update
        ]
        final = graph.invoke({"text": ROWS[1].question}, context=context)["decision"]
        fast = decision_to_json(careful.decide(DOMAIN, ROWS[1].question, mode="neural_only"))
    assert [node for node in path if node in AGENTS] == AGENTS
    assert path[0] == "reset"
    assert path[-2:] == ["route", "record"]
    kept = ("agent", "action", "confidence", "tier", "signals", "trace")
    assert [{k: p[k] for k in kept} for p in final["predictions"]] == [
        {k: p[k] for k in kept} for p in fast["predictions"]
    ]


def test_llm_is_asked_without_a_certificate(client: Trimtab) -> None:
    decision = client.decide(DOMAIN, ROWS[0].question)
    assert (decision.route.agent, decision.route.reason) == ("llm", "uncertified")
    assert decision.answer == "123456" * 6


def test_wrong_grids_are_counted_and_refused_by_exact_truth(client: Trimtab) -> None:
    decisions = [client.decide(DOMAIN, row.question) for row in ROWS]
    client.flush()
    outcomes = resolve_by_solver(client.ledger, PUZZLE, decisions)
    assert [outcome.reward for outcome in outcomes] == [0.0] * len(ROWS)
    assert [outcome.reference for outcome in outcomes] == [row.answer for row in ROWS]
    issued = client.certify(DOMAIN, Promise(loss=0.3, confidence=0.9, window=len(ROWS)))
    assert issued.certificate.refused
    [domain] = client.report(DOMAIN)["domains"]
    assert domain["quality"]["value"] == 0.0
    after = client.decide(DOMAIN, ROWS[0].question)
    assert after.answer == ROWS[0].answer


def test_feedback_takes_a_grid_in_any_layout(client: Trimtab) -> None:
    decision = client.decide(DOMAIN, ROWS[0].question, mode="neural_only")
    lines = "\n".join(" ".join(ROWS[0].answer[i : i + 6]) for i in range(0, 36, 6))
    assert client.feedback(decision.decision_id, answer=lines).reward == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("." * 36, "more than one solution"),
        ("11" + "." * 34, "no solution"),
        ("12.", "has 3 cells"),
        ("ab" + "." * 34, "holds \\['a', 'b'\\]"),
        ("7" + "." * 35, "holds \\['7'\\]"),
    ],
)
def test_bad_puzzle_is_named(client: Trimtab, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        client.decide(DOMAIN, text, mode="neural_only")


def test_every_shipped_bundle_of_a_domain_is_served_by_its_name() -> None:
    home = shipped_bundle(DOMAIN).parent
    folders = sorted(path.parent for path in home.glob(f"*/{MANIFEST}"))
    domains = [folder.name for folder in folders if load(folder).bundle.domain == folder.name]
    assert sorted(SHIPPED) == domains


@pytest.mark.parametrize(
    ("domain", "spec", "message"),
    [
        ("chess", {"name": "trm"}, "no known puzzles"),
        ("sudoku4", {"name": "trm"}, "no file 'step.onnx'"),
    ],
)
def test_bundle_that_answers_no_puzzles_is_refused(
    domain: str, spec: dict[str, Any], message: str, tmp_path: Path, settings: Settings
) -> None:
    folder = tmp_path / domain
    pack(
        folder,
        domain=domain,
        files={},
        thresholds={},
        metrics={},
        card="# other\n",
        spec={"kind": "recursive-net/1", **spec},
    )
    with pytest.raises(BundleError, match=message):
        bundle_servings({domain: folder}, settings=settings, expert=filler)
