"""The text policy as an agent: its rungs, its signals, and what it refuses."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.contracts.agent import AgentContract
from tests.requests import DOMAIN, QUICK, WordEmbedder, embedders, requests
from trimtab.agents.known_texts import KnownTexts
from trimtab.agents.ladder import HEADS_FILE, WITNESS_FILE, Ladder
from trimtab.agents.policy import TextPolicy
from trimtab.datasets.tables import LabelledText
from trimtab.domains.choices import Choices, ChoiceState
from trimtab.errors import BundleError, EmbedderMissing
from trimtab.protocols import AnyAgent, AnyDomain, Embedder
from trimtab.records import Passage, Usage
from trimtab.release.bundle import LoadedBundle, load, pack
from trimtab.training.text_policy import TrainedTextPolicy, train_text_policy

PRICE = 2e-5
CONFLICT = "storm in my order"
TRAIN = [
    *requests(20, seed=0),
    LabelledText(CONFLICT, "refund"),
    LabelledText(CONFLICT.upper(), "weather"),
]
STATES = [ChoiceState(row.text) for row in requests(8, seed=5)]


@pytest.fixture(scope="module")
def trained() -> TrainedTextPolicy:
    return train_text_policy(DOMAIN, TRAIN, embedders=embedders(), config=QUICK, seed=0)


@pytest.fixture(scope="module")
def bundle(trained: TrainedTextPolicy, tmp_path_factory: pytest.TempPathFactory) -> LoadedBundle:
    folder = tmp_path_factory.mktemp("bundles") / "requests"
    trained.pack(folder)
    return load(folder)


def serve(bundle: LoadedBundle, found: Mapping[str, Embedder] | None = None) -> TextPolicy:
    return TextPolicy.from_bundle(bundle, embedders=found or embedders(), usd_per_cpu_s=PRICE)


def asking(bundle: LoadedBundle, *, skip_at: float) -> tuple[TextPolicy, WordEmbedder]:
    """Return the policy with another threshold for skipping MiniLM, and MiniLM's embedder."""
    found = embedders()
    policy = serve(bundle, found)
    policy.ladder = replace(policy.ladder, static=replace(policy.ladder.static, skip_at=skip_at))
    return policy, found["minilm"]


def repacked(bundle: LoadedBundle, folder: Path, **changes: object) -> LoadedBundle:
    """Return the same bundle with some of its parts changed."""
    parts: dict[str, object] = {
        "domain": bundle.bundle.domain,
        "files": {name: bundle.read(name) for name in bundle.bundle.files if name != "card.md"},
        "thresholds": bundle.bundle.thresholds,
        "metrics": bundle.bundle.metrics,
        "card": "a card",
        "spec": bundle.spec,
    }
    pack(folder, **(parts | changes))  # type: ignore[arg-type]
    return load(folder)


class TestTextPolicy(AgentContract):
    @pytest.fixture
    def agent(self, bundle: LoadedBundle) -> AnyAgent:
        return serve(bundle)

    @pytest.fixture
    def domain(self) -> AnyDomain:
        return DOMAIN

    @pytest.fixture
    def states(self) -> Sequence[ChoiceState]:
        return [*STATES, ChoiceState(TRAIN[0].text)]


class TestDegradedPolicy(TestTextPolicy):
    @pytest.fixture
    def agent(self, bundle: LoadedBundle) -> AnyAgent:
        return serve(bundle, {"wordllama": embedders()["wordllama"]})


def test_bundle_serves_what_was_trained(trained: TrainedTextPolicy, bundle: LoadedBundle) -> None:
    policy = serve(bundle)
    assert policy.domain.to_json() == DOMAIN.to_json()
    assert policy.ladder.spec() == trained.ladder.spec()
    assert policy.ladder.static.skip_at == trained.thresholds["static_accept"]
    assert policy.ladder.files() == trained.ladder.files()


def test_batch_and_single_calls_give_the_very_same_numbers(bundle: LoadedBundle) -> None:
    policy = serve(bundle)
    together = [replace(p, usage=Usage()) for p in policy.predict(STATES)]
    alone = [replace(policy.predict([s])[0], usage=Usage()) for s in STATES]
    assert together == alone


def test_labelled_text_is_answered_by_the_cache_in_any_case(bundle: LoadedBundle) -> None:
    found = embedders()
    [prediction] = serve(bundle, found).predict([ChoiceState(f" {TRAIN[0].text.upper()} ")])
    assert (prediction.tier, prediction.confidence) == ("cache", 1.0)
    assert prediction.action == DOMAIN.index(TRAIN[0].label)
    assert found["wordllama"].asked == 0


def test_text_with_two_labels_is_left_to_the_tiers(bundle: LoadedBundle) -> None:
    [prediction] = serve(bundle).predict([ChoiceState(CONFLICT)])
    assert prediction.tier != "cache"


def test_sure_static_answers_do_not_ask_minilm(bundle: LoadedBundle) -> None:
    policy, minilm = asking(bundle, skip_at=0.0)
    assert {p.tier for p in policy.predict(STATES)} == {"static"}
    assert minilm.asked == 0


def test_unsure_static_answers_ask_minilm_once_each(bundle: LoadedBundle) -> None:
    policy, minilm = asking(bundle, skip_at=1.0)
    predictions = policy.predict([*STATES, ChoiceState(TRAIN[0].text)])
    assert [p.tier for p in predictions] == ["minilm"] * len(STATES) + ["cache"]
    assert minilm.asked == len(STATES)


def test_rung_is_chosen_by_the_gate_signal(bundle: LoadedBundle) -> None:
    policy, _ = asking(bundle, skip_at=1.0)
    gates = sorted(p.signals["gate"] for p in policy.predict(STATES))
    middle = gates[len(gates) // 2]
    policy, _ = asking(bundle, skip_at=middle)
    for prediction in policy.predict(STATES):
        expected = "static" if prediction.signals["gate"] >= middle else "minilm"
        assert prediction.tier == expected


def test_signals_describe_the_answer(bundle: LoadedBundle) -> None:
    for prediction in serve(bundle).predict(STATES):
        assert prediction.probs is not None
        ranked = sorted(prediction.probs)
        assert prediction.action == int(np.argmax(prediction.probs))
        assert prediction.signals["margin"] == pytest.approx(ranked[-1] - ranked[-2], abs=1e-6)
        assert prediction.signals["agreement"] in (0.0, 1.0)
        assert 0.0 <= prediction.signals["entropy"] <= np.log(3) + 1e-6
        assert -1.0 <= prediction.signals["known_cosine"] <= 1.001


def test_known_cosine_is_one_for_the_words_of_a_known_text(bundle: LoadedBundle) -> None:
    words = TRAIN[0].text.split()
    [prediction] = serve(bundle).predict([ChoiceState(" ".join(reversed(words)))])
    assert prediction.signals["known_cosine"] == pytest.approx(1.0, abs=1e-3)


def test_known_cosine_is_to_the_nearest_text_of_the_chosen_label(bundle: LoadedBundle) -> None:
    known = KnownTexts.from_bundle(bundle)
    policy = serve(bundle).without_minilm()
    vectors = embedders()["wordllama"].embed([state.text for state in STATES])
    for vector, prediction in zip(vectors, policy.predict(STATES), strict=True):
        chosen = policy.domain.labels[int(prediction.action)]
        rows = [place for place, label in enumerate(known.labels) if label == chosen]
        nearest = (known.vectors["wordllama"][rows] @ vector).max()
        assert prediction.signals["known_cosine"] == pytest.approx(float(nearest), abs=1e-6)


def test_cost_is_cpu_time_at_its_price(bundle: LoadedBundle) -> None:
    policy, _ = asking(bundle, skip_at=1.0)
    for prediction in policy.predict(STATES):
        assert prediction.usage.cpu_s > 0.0
        assert prediction.usage.cost_usd == pytest.approx(prediction.usage.cpu_s * PRICE)


def test_absent_minilm_degrades_visibly(
    bundle: LoadedBundle, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        policy = serve(bundle, {"wordllama": embedders()["wordllama"]})
        predictions = policy.predict(STATES)
    assert policy.degraded == ("minilm",)
    assert {p.tier for p in predictions} == {"static"}
    assert all(p.confidence == p.signals["gate"] for p in predictions)
    assert ["trimtab setup text" in record.getMessage() for record in caplog.records] == [True]


def test_policy_without_minilm_by_choice_is_not_degraded(bundle: LoadedBundle) -> None:
    policy = serve(bundle).without_minilm()
    assert policy.degraded == ()
    assert {p.tier for p in policy.predict(STATES)} == {"static"}


def test_examples_are_retrieved_with_their_labels(bundle: LoadedBundle) -> None:
    for found in (embedders(), {"wordllama": embedders()["wordllama"]}):
        [passage] = serve(bundle, found).example_index().retrieve(TRAIN[3].text, k=1)
        assert (passage.text, passage.metadata["label"]) == (TRAIN[3].text, TRAIN[3].label)


def test_context_is_not_read(bundle: LoadedBundle) -> None:
    policy = serve(bundle)
    note = Passage(text="a note", source_id="1", score=1.0)
    [read] = policy.predict(STATES[:1], context=[[note]])
    [plain] = policy.predict(STATES[:1])
    assert replace(read, usage=Usage()) == replace(plain, usage=Usage())


def test_static_embedder_is_needed(bundle: LoadedBundle) -> None:
    with pytest.raises(EmbedderMissing, match="trimtab setup text"):
        serve(bundle, {"minilm": embedders()["minilm"]})


def test_other_embedder_than_in_training_is_refused(bundle: LoadedBundle) -> None:
    with pytest.raises(BundleError, match=r"words-24.*words-25"):
        serve(bundle, {"wordllama": WordEmbedder(25)})


def test_bundle_of_another_kind_is_refused(bundle: LoadedBundle, tmp_path: Path) -> None:
    other = repacked(bundle, tmp_path / "b", spec=dict(bundle.spec) | {"kind": "board/1"})
    with pytest.raises(BundleError, match="board/1"):
        serve(other)


def test_bundle_without_its_thresholds_is_refused(bundle: LoadedBundle, tmp_path: Path) -> None:
    other = repacked(bundle, tmp_path / "b", thresholds={"accept": 0.9})
    with pytest.raises(BundleError, match="static_accept"):
        serve(other)


def test_bundle_of_other_parsers_is_refused(bundle: LoadedBundle, tmp_path: Path) -> None:
    ladder = dict(bundle.spec["ladder"]) | {"evidence": ["arxiv_id"]}
    other = repacked(bundle, tmp_path / "b", spec=dict(bundle.spec) | {"ladder": ladder})
    with pytest.raises(BundleError, match="parsers"):
        serve(other)


@pytest.mark.parametrize("name", [HEADS_FILE, WITNESS_FILE, "examples.jsonl"])
def test_unreadable_file_is_a_bundle_error(bundle: LoadedBundle, tmp_path: Path, name: str) -> None:
    files = {n: bundle.read(n) for n in bundle.bundle.files if n != "card.md"}
    other = repacked(bundle, tmp_path / "b", files=files | {name: b"no such form"})
    with pytest.raises(BundleError):
        serve(other)


def test_ladder_files_hold_the_half_precision_witness(bundle: LoadedBundle) -> None:
    ladder = Ladder.from_files(bundle.spec["ladder"], bundle.read, skip_at=0.5)
    witness = ladder.static.witness
    assert len(ladder.files()[WITNESS_FILE]) < witness.num_features * (4 + 2 * 3) + 1000


def test_policy_of_two_labels_works(tmp_path: Path) -> None:
    rows = [row for row in requests(12, seed=3) if row.label != "weather"]
    domain = Choices(name="two", labels=["calculate", "refund"])
    trained = train_text_policy(domain, rows, embedders=embedders(), config=QUICK, seed=0)
    trained.pack(tmp_path / "b")
    predictions = serve(load(tmp_path / "b")).predict(STATES)
    assert {p.action for p in predictions} <= {0, 1}
