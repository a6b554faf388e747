"""``bench cascade`` on tables made here, whose truth is known."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.recorded_worlds import independent
from trimtab.bench.cascade import Figures, measure, run
from trimtab.bench.cascade_bars import MODELS, bars
from trimtab.bench.cascade_methods import Split
from trimtab.bench.cascade_promise import COLD_START, keep, promise_measures
from trimtab.bench.routing_bars import ZEROEVAL_GSM8K
from trimtab.bench.routing_gate import text_features
from trimtab.domains.tables import RecordedSteps
from trimtab.errors import ConfigError, InputError


def _write(path: Path, steps: RecordedSteps, *, silent: bool = False) -> Path:
    with path.open("w", encoding="utf-8") as stream:
        for place, name in enumerate(steps.names):
            for i in range(steps.n):
                row = {
                    "question_id": i,
                    "category": "sums",
                    "text": f"Question {i}: what is {i} plus {i % 7}?",
                    "model": name,
                    "answer": None if silent else f"answer {steps.codes[place, i]}",
                    "correct": bool(steps.correct[place, i]) and not silent,
                    "cost_usd": float(steps.cost_usd[place, i]),
                }
                stream.write(json.dumps(row) + "\n")
    return path


@pytest.fixture(scope="module")
def world() -> RecordedSteps:
    return independent([0.75, 0.8, 0.97], usd=[1e-4, 2e-4, 5e-3], n=300)


@pytest.fixture(scope="module")
def figures(world: RecordedSteps) -> Figures:
    texts = [f"Question {i}" for i in range(world.n)]
    order = np.random.default_rng(0).permutation(world.n)
    split = Split(
        texts=texts,
        features=text_features(texts),
        steps=world,
        train=order[:150],
        test=order[150:],
    )
    return measure(split, np.random.default_rng(1))


def test_agreement_is_worth_more_than_the_question_alone(figures: Figures) -> None:
    assert figures.areas["ours"] > figures.areas["query_only"] + 0.01
    assert figures.areas["agreement"] > figures.areas["singles"] + 0.01


def test_nobody_beats_the_oracle(figures: Figures) -> None:
    assert max(figures.areas.values()) == figures.areas["oracle"]


def test_where_cheap_answers_agree_the_dear_price_is_saved(figures: Figures) -> None:
    assert figures.prices["ours", 0.98] < 0.7
    assert figures.prices["ours", 0.98] <= figures.prices["ours", 1.0] <= 1.0


def test_the_result_has_the_keys_that_are_promised(tmp_path: Path, world: RecordedSteps) -> None:
    table = _write(tmp_path / "t.jsonl", world.take(np.arange(80)))
    result = run(table=table, train_size=50, splits=2, streams=2, seed=3)
    keys = "area cost_at_98 cost_at_100 vs_agreement vs_cascade_routing vs_frugal vs_query_only"
    for key in (*keys.split(), "act_ms", "train_s", "promise_broken", "llm_share"):
        assert result["measures"][key]["value"] is not None
    assert result["measures"]["vs_agreement_sd"]["unit"] == "points of area"
    again = run(table=table, train_size=50, splits=2, streams=2, seed=3)
    assert again["measures"]["area"] == result["measures"]["area"]


def test_models_that_never_answer_are_measured(tmp_path: Path, world: RecordedSteps) -> None:
    table = _write(tmp_path / "t.jsonl", world.take(np.arange(40)), silent=True)
    result = run(table=table, train_size=20, splits=1, seed=0)
    assert result["measures"]["area"]["value"] == 0.0


def test_many_models_must_be_named(tmp_path: Path) -> None:
    rows = [
        {"question_id": 1, "category": None, "text": "why?", "model": f"m{k}", "answer": "x"}
        | {"correct": True, "cost_usd": 0.1}
        for k in range(9)
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"holds 9 models; name those .* m0, m1, .*m8"):
        run(table=path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"models": ["a"]}, "at least two"),
        ({"models": ["a", "z"]}, "holds no model"),
        ({"train_size": 75}, "leave at least 10 on either side"),
        ({"train_size": 5}, "leave at least 10 on either side"),
        ({"splits": 0}, "at least 1 split"),
        ({"strong": "z"}, "no step is named 'z'"),
        ({"promise": 1.5}, r"loss=1\.5"),
    ],
)
def test_what_cannot_be_measured_is_named(
    tmp_path: Path, world: RecordedSteps, change: dict[str, object], named: str
) -> None:
    table = _write(tmp_path / "t.jsonl", world.take(np.arange(80)))
    arguments: dict[str, object] = {"table": table, "train_size": 50, "splits": 1, **change}
    with pytest.raises((ConfigError, InputError), match=named):
        run(**arguments)  # type: ignore[arg-type]


def test_models_of_one_price_leave_no_interval(tmp_path: Path) -> None:
    table = _write(tmp_path / "t.jsonl", independent([0.5, 0.9], usd=[1.0, 1.0], n=80))
    with pytest.raises(ConfigError, match="models of different prices"):
        run(table=table, train_size=50, splits=1)


def _keep(steps: RecordedSteps, seed: int = 0, **change: object) -> object:
    rows = np.random.default_rng(seed).permutation(steps.n)
    half = steps.n // 2
    arguments: dict[str, object] = {
        "train": rows[:half],
        "world": rows[half:],
        "strong": None,
        "loss": 0.02,
        "confidence": 0.95,
        "rng": np.random.default_rng(seed),
        **change,
    }
    return keep(steps, **arguments)  # type: ignore[arg-type]


def test_random_cheap_steps_certify_nothing() -> None:
    kept = _keep(independent([0.05, 0.05, 0.95], usd=[1e-4, 1e-4, 1e-2], n=400))
    assert (kept.candidate, kept.llm_share, kept.saved) == ("", 1.0, 0.0)


def test_an_llm_worse_than_the_ensemble_is_no_longer_asked() -> None:
    steps = independent([0.9, 0.9, 0.9, 0.7], usd=[1e-4, 1e-4, 1e-4, 1e-2], n=400)
    kept = _keep(steps, strong="d")
    assert kept.llm_share <= 0.05
    assert kept.true_loss < 0.0


def test_a_kept_promise_is_counted_as_kept() -> None:
    steps = independent([0.8, 0.85, 0.97], usd=[1e-4, 1e-4, 1e-2], n=400)
    found = promise_measures([_keep(steps, seed) for seed in range(3)], loss=0.02)
    assert found["promise_broken"].value == 0.0
    assert COLD_START >= 1000
    assert promise_measures([], loss=0.02) == {}


def test_bars_hold_for_the_data_and_arguments_that_they_name() -> None:
    plain = {"models": sorted(MODELS), "train_size": 500, "promise": 0.02, "confidence": 0.95}
    named = bars(ZEROEVAL_GSM8K, streams=200, **plain)
    assert {bar.key: bar.at_most for bar in named}["promise_broken"] == 15.0
    assert bars("t.jsonl", streams=200, **plain) == []
    assert bars(ZEROEVAL_GSM8K, streams=0, **{**plain, "train_size": 50}) == []
