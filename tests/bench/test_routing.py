"""``bench routing`` on tables made here, whose truth is known."""

import json
from pathlib import Path

import numpy as np
import pytest

from trimtab.agents.promise import Candidate
from trimtab.bench.routing import run
from trimtab.bench.routing_bars import ZEROEVAL_GSM8K, allowed_breaks, bars
from trimtab.bench.routing_gate import fit_scores, text_features
from trimtab.bench.routing_pool import open_pool
from trimtab.bench.routing_promise import (
    Setting,
    Step,
    agreement_path,
    keep,
    learned_error,
    learned_path,
    open_setting,
)
from trimtab.datasets.recorded import Recorded
from trimtab.errors import ConfigError, InputError

N = 500
MODELS = {"small": (0.75, 1e-5), "other": (0.8, 1.2e-5), "middle": (0.9, 3e-5), "big": (0.96, 1e-3)}


def _world(seed: int = 0) -> tuple[list[str], dict[str, Recorded]]:
    """Return questions whose length tells how hard they are, and four models' answers."""
    rng = np.random.default_rng(seed)
    hard = rng.random(N)
    texts = [
        f"Question {i}: " + " and ".join(f"{k} apples" for k in range(1 + int(12 * hard[i])))
        for i in range(N)
    ]
    models = {}
    for name, (skill, usd) in MODELS.items():
        right = rng.random(N) < np.clip(skill + 0.9 * (1 - skill) * (1 - 2 * hard), 0.0, 1.0)
        wrong = rng.integers(0, 50, N)
        models[name] = Recorded(
            model=name,
            answers=tuple(
                "right" if ok else f"wrong {w}" for ok, w in zip(right, wrong, strict=True)
            ),
            correct=right,
            cost_usd=usd * (0.5 + rng.random(N)),
            out_tokens=np.round(50 + 100 * hard + 20 * rng.random(N)),
        )
    return texts, models


def _setting(seed: int = 0) -> Setting:
    texts, models = _world(seed)
    pool = open_pool([models[name] for name in ("small", "other", "middle")])
    return open_setting(texts, text_features(texts), pool, models["big"])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    texts, models = _world()
    path = tmp_path / "answers.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for model in models.values():
            for i, text in enumerate(texts):
                row = {
                    "question_id": i,
                    "category": None,
                    "text": text,
                    "model": model.model,
                    "answer": model.answers[i],
                    "correct": bool(model.correct[i]),
                    "cost_usd": float(model.cost_usd[i]),
                    "out_tokens": int(model.out_tokens[i]),
                }
                stream.write(json.dumps(row) + "\n")
    return path


def _values(result: dict[str, object]) -> dict[str, float]:
    measures = result["measures"]
    assert isinstance(measures, dict)
    return {key: measure["value"] for key, measure in measures.items()}


def test_a_router_that_reads_the_question_beats_chance(table: Path) -> None:
    result = run(table=table, cheap="small", strong="big", splits=4)
    values = _values(result)
    assert values["apgr"] > 0.6
    assert values["apgr"] == values["apgr_calls"]
    assert values["oracle_apgr"] >= values["apgr"]
    assert values["cpt50"] < values["cpt80"]
    assert result["bars"] == {}
    assert result["n"] == N


def test_an_agreeing_pool_saves_and_keeps_the_promise(table: Path) -> None:
    result = run(
        table=table, cheap="small", strong="big", agree=["other", "middle"], promise=0.05, splits=6
    )
    values = _values(result)
    assert values["saved"] > 0.3
    assert values["promise_broken"] <= 2
    assert values["certificate_gap"] <= 1e-12
    assert values["labels_per_1000"] < 300
    assert values["apgr"] > 0.8


def test_the_same_seed_gives_the_same_figures(table: Path) -> None:
    first, second = (run(table=table, cheap="small", strong="big", splits=2) for _ in range(2))
    assert first["measures"] == second["measures"]


def test_models_that_are_not_in_the_table_are_named(table: Path) -> None:
    with pytest.raises(InputError, match=r"no model \['huge'\]; use some of .*'small'"):
        run(table=table, cheap="small", strong="huge")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"splits": 0}, "splits=0"),
        ({"promise": 2.0}, "loss=2.0"),
        ({"confidence": 0}, "confidence"),
    ],
)
def test_arguments_outside_their_range_are_named(
    table: Path, change: dict[str, float], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        run(table=table, cheap="small", strong="big", **change)  # type: ignore[arg-type]


def test_too_few_questions_are_an_error(table: Path, tmp_path: Path) -> None:
    lines = table.read_text(encoding="utf-8").splitlines()
    few = [line for line in lines if json.loads(line)["question_id"] < 5]
    path = tmp_path / "few.jsonl"
    path.write_text("\n".join(few), encoding="utf-8")
    with pytest.raises(ConfigError, match="5 common questions"):
        run(table=path, cheap="small", strong="big")


def _flipped(setting: Setting, rows: np.ndarray) -> Setting:
    """Return the setting with other outcomes on these rows: whatever was right is wrong."""

    def flip(model: Recorded) -> Recorded:
        correct = model.correct.copy()
        correct[rows] = ~correct[rows]
        return Recorded(
            model=model.model,
            answers=model.answers,
            correct=correct,
            cost_usd=model.cost_usd,
            out_tokens=model.out_tokens,
        )

    pool = open_pool([flip(agent) for agent in setting.pool.agents])
    return open_setting(setting.texts, setting.features[:, :-4], pool, setting.strong)


def test_outcomes_of_the_window_do_not_move_the_agreement_path() -> None:
    setting = _setting()
    before, after = (agreement_path(world) for world in (setting, _flipped(setting, np.arange(N))))
    for first, second in zip(before, after, strict=True):
        assert first.candidate.name == second.candidate.name
        np.testing.assert_array_equal(first.candidate.shown, second.candidate.shown)
        np.testing.assert_array_equal(first.usd, second.usd)


def test_outcomes_outside_the_fit_rows_do_not_move_the_learned_path() -> None:
    setting = _setting()
    fit, rest = np.arange(80), np.arange(80, N)
    before, after = (learned_path(world, fit) for world in (setting, _flipped(setting, rest)))
    for first, second in zip(before, after, strict=True):
        assert first.candidate.threshold == second.candidate.threshold
        np.testing.assert_array_equal(first.candidate.shown, second.candidate.shown)


def test_the_learned_path_shows_ever_more() -> None:
    steps = learned_path(_setting(), np.arange(100))
    shares = [float(step.candidate.shown.mean()) for step in steps]
    assert shares == sorted(shares)
    assert shares[0] < 0.2 < 0.8 < shares[-1]


def test_deferring_everything_saves_nothing() -> None:
    setting = _setting()
    ask = Step(
        candidate=Candidate(
            name="ask",
            shown=np.zeros(N, bool),
            losses=np.zeros(N),
            differs=np.ones(N, bool),
        ),
        usd=setting.cheap_usd,
    )
    order = np.random.default_rng(0).permutation(N)
    kept = keep(setting, [ask], order[:250], order[250:], loss=0.05, confidence=0.95)
    assert kept.rule == "ask"
    assert kept.saved < 0.0
    assert kept.true_loss == 0.0


def test_without_a_certificate_nothing_is_saved_or_lost() -> None:
    setting = _setting()
    order = np.random.default_rng(0).permutation(N)
    path = agreement_path(setting)
    kept = keep(setting, path, order[:40], order[40:], loss=0.01, confidence=0.95)
    assert (kept.rule, kept.saved, kept.true_loss) == ("", 0.0, 0.0)


def test_the_learned_path_competes_only_where_it_can_win() -> None:
    assert learned_error(495, loss=0.01, confidence=0.95, alone=False) == 0.0
    assert learned_error(495, loss=0.05, confidence=0.95, alone=False) > 0.0
    assert learned_error(10, loss=0.01, confidence=0.95, alone=True) == 1.0


def test_both_paths_share_the_allowed_error_and_the_cheaper_rule_wins() -> None:
    setting = _setting()
    path = agreement_path(setting)
    order = np.random.default_rng(1).permutation(N)
    plain = keep(setting, path, order[:450], order[450:], loss=0.12, confidence=0.9)
    assert plain.rule
    without = keep(setting, path[:1], order[:450], order[450:], loss=0.12, confidence=0.9)
    assert without.rule.startswith("gate")  # the strictest pool rule alone is dearer


def test_a_gate_reads_only_its_train_rows() -> None:
    texts, models = _world()
    gains = models["big"].correct.astype(float) - models["small"].correct
    train = np.arange(0, N, 2)
    features = text_features(texts)
    first = fit_scores(texts, features, gains, train)
    changed = gains.copy()
    changed[1::2] = 1.0
    np.testing.assert_array_equal(first, fit_scores(texts, features, changed, train))


def test_texts_without_common_words_are_scored_by_their_counts() -> None:
    texts = ["1 + 2", "3 ∗ 4", "5", "6 − 7 − 8 − 9"]
    scores = fit_scores(texts, text_features(texts), np.array([0.0, 0.0, 0.0, 1.0]), np.arange(4))
    assert np.argmax(scores) == 3


def test_bars_hold_only_for_the_arguments_they_name() -> None:
    pair = {"cheap": "Meta-Llama-3.1-8B-Instruct", "strong": "gpt-4o-2024-08-06"}
    witnesses = ["gpt-4o-mini-2024-07-18", "gemma-2-9b-it"]

    def keys(agree: list[str], promise: float) -> set[str]:
        found = bars(
            ZEROEVAL_GSM8K, **pair, agree=agree, promise=promise, confidence=0.95, splits=200
        )
        return {bar.key for bar in found}

    assert {"saved", "apgr", "promise_broken", "labels_per_1000"} <= keys(witnesses, 0.02)
    assert "saved" not in keys(witnesses, 0.04)
    assert keys(witnesses[:1], 0.02) == set()


def test_fifteen_of_two_hundred_broken_promises_are_chance() -> None:
    assert allowed_breaks(200, confidence=0.95) == 15
    assert allowed_breaks(20, confidence=0.95) == 3
