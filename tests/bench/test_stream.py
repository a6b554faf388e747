"""``bench stream`` on tables made here, whose truth is known."""

import json
from pathlib import Path

import numpy as np
import pytest

from trimtab.agents.certify_pool import Rung
from trimtab.agents.promise_windows import PromiseWindows
from trimtab.agents.window_plan import WindowPlan
from trimtab.bench.stream import run
from trimtab.bench.stream_draw import draw
from trimtab.bench.stream_fit import Bets, bet_window, fit_window
from trimtab.bench.stream_ours import ride
from trimtab.bench.stream_rivals import adaptive_conformal, e_process, split_conformal
from trimtab.bench.stream_scores import Scored, score_streams
from trimtab.bench.stream_world import (
    Questions,
    World,
    open_world,
    read_questions,
    split_categories,
)
from trimtab.datasets.recorded import Recorded, recorded_steps
from trimtab.errors import ConfigError, InputError
from trimtab.release.drift import DriftPlan, Predicted

MODELS = {"small": 1e-5, "other": 2e-5, "middle": 4e-5, "big": 1e-3}
PLAN = WindowPlan(loss=0.05, cold_start=800, recollect=800, fits=(100, 300))


def _questions(seed: int = 0, *, each: int = 500) -> Questions:
    """Return an easy category and a hard one; a wrong answer is one's own."""
    rng = np.random.default_rng(seed)
    skill = np.repeat([0.9, 0.35], each)
    found = []
    for name, usd in MODELS.items():
        n = len(skill)
        right = rng.random(n) < (0.95 if name == "big" else skill)
        wrong = rng.integers(0, 1000, n)
        found.append(
            Recorded(
                model=name,
                answers=tuple(
                    f"right {i}" if ok else f"{name} {w}"
                    for i, (ok, w) in enumerate(zip(right, wrong, strict=True))
                ),
                correct=right,
                cost_usd=np.full(n, usd),
                out_tokens=np.full(n, 20.0),
            )
        )
    return Questions(
        name="made", steps=recorded_steps(found), categories=("easy",) * each + ("hard",) * each
    )


def _world(kind: str = "covariate", seed: int = 0) -> World:
    return open_world(
        _questions(seed),
        kind,  # type: ignore[arg-type]
        strong="big",
        before=["easy"],
        after=["hard"],
        rng=np.random.default_rng(1),
    )


def test_without_a_name_the_category_in_which_cheap_models_are_worst_comes_after() -> None:
    assert split_categories(_questions(), strong="big") == (("easy",), ("hard",))
    assert split_categories(_questions(), strong="big", after=["easy"]) == (("hard",), ("easy",))


def test_the_table_shares_no_question_with_the_requests() -> None:
    for kind in ("covariate", "label", "llm"):
        world = _world(kind)
        one = draw(world, n=2000, drift_at=1000, seed=0, stream=3)
        early, late = set(one.requests[:1000].tolist()), set(one.requests[1000:].tolist())
        table = set(one.table.tolist())
        assert not table & (early | late)
        assert not {int(world.later[row]) for row in table} & late
        assert early <= set(world.before.tolist())


def test_label_drift_leaves_agreement_among_cheap_models_as_it_was() -> None:
    world = _world("label")
    steps, half = world.steps, world.steps.n // 2
    same = steps.codes[0] == steps.codes[1]
    np.testing.assert_array_equal(same[:half], same[half:])
    assert steps.correct[0, half:].sum() < steps.correct[0, :half].sum()
    np.testing.assert_array_equal(steps.correct[3, :half], steps.correct[3, half:])


def test_llm_drift_changes_the_strong_model_alone() -> None:
    world = _world("llm")
    steps, half = world.steps, world.steps.n // 2
    assert steps.correct[3, half:].mean() < steps.correct[3, :half].mean() - 0.2
    np.testing.assert_array_equal(steps.correct[:3, :half], steps.correct[:3, half:])


def test_a1_sees_harder_questions_and_the_llm_takes_over() -> None:
    world = _world()
    one = draw(world, n=5000, drift_at=2500, seed=0, stream=0)
    found = ride(world, one, plan=PLAN, drift=DriftPlan(loss=0.05))
    first = found.alarms[0]
    assert first[1] == "A1"
    assert 2500 <= first[0] <= 3000
    assert (found.calls[first[0] + 1 : first[0] + 200] == 1.0).all()
    assert found.served[0][0] <= 700


def test_random_cheap_answers_save_nothing_and_that_is_said() -> None:
    world = _world("random")
    one = draw(world, n=2000, drift_at=2000, seed=0, stream=0)
    found = ride(world, one, plan=PLAN, drift=DriftPlan(loss=0.05))
    assert found.nothing
    assert not found.served
    assert (found.calls == 1.0).all()
    assert (found.loss == 0.0).all()


def test_an_llm_that_got_worse_is_not_asked_any_more() -> None:
    world = _world("llm")
    one = draw(world, n=8000, drift_at=2000, seed=0, stream=0)
    found = ride(world, one, plan=PLAN, drift=DriftPlan(loss=0.05))
    assert "A3" in [name for _, name in found.alarms]
    assert found.calls[-500:].mean() <= 0.06


def test_computed_at_once_the_promise_does_what_one_request_at_a_time_does() -> None:
    world = _world()
    one = draw(world, n=3000, drift_at=1500, seed=0, stream=1)
    found = ride(world, one, plan=PLAN, drift=DriftPlan(loss=0.05))
    windows = PromiseWindows(PLAN, DriftPlan(loss=0.05))
    windows.collected(PLAN.fits[0] + (len(one.table) - PLAN.fits[0]))
    begun, name, _ = found.served[0]
    rows = np.concatenate([one.table, one.requests[:begun]])
    fits = {
        first: fit_window(
            world.steps.take(rows[:first]),
            strong="big",
            loss=0.05,
            delta=windows.delta,
            planned=800,
            seed=one.seed + 1,
        )
        for first in PLAN.fits
        if first < len(rows)
    }
    bets = bet_window(
        world.steps, rows, fits, strong="big", planned=800, loss=0.05, delta=windows.delta
    )
    if begun:
        windows.collected(begun)
    chosen = bets.pool[name]
    seen = chosen.run(world.steps.take(rows[bets.since[name] :]))
    known = world.steps.correct[3, rows[bets.since[name] :]]
    windows.certify(
        name,
        llm_share=0.5,
        predicted=Predicted(
            mean=float(seen.confidence.mean()),
            spread=float(seen.confidence.std()),
            n=seen.trail.size,
            gains=float((seen.correct & ~known).mean()),
        ),
    )
    outcomes = chosen.run(world.steps)
    losses = world.steps.correct[3].astype(float) - outcomes.correct
    right = rows[world.steps.correct[3][rows]][:100]
    sounded = None
    for i in range(begun, len(one.requests)):
        row = one.requests[i]
        if one.audit[i] < windows.audit_rate:
            sounded = windows.audited(float(losses[row]))
        if sounded is None and one.canary[i] < windows.canary_rate:
            sounded = windows.canary(right=bool(world.steps.correct[3, right[i % len(right)]]))
        sounded = sounded or windows.shown(float(outcomes.confidence[row]))
        if sounded is not None:
            break
    assert (i, sounded) == found.alarms[0]


def _scored(losses: np.ndarray) -> Scored:
    rng = np.random.default_rng(0)
    streams, n = losses.shape
    flat = np.zeros((streams, n))
    return Scored(
        known=rng.random((streams, 400)),
        known_losses=np.zeros((streams, 400)),
        fitted=rng.random((streams, 200)),
        scores=rng.random((streams, n)),
        losses=losses,
        agree=np.ones((streams, n), np.bool_),
        cheap_usd=flat,
        strong_usd=flat + 1.0,
        audit=rng.random((streams, n)),
    )


def test_split_conformal_shows_everything_where_the_table_lost_nothing() -> None:
    found = split_conformal(_scored(np.zeros((3, 500))), alpha=0.05, audit_rate=0.02)
    assert found.calls.mean() < 0.05


def test_adaptive_conformal_asks_more_once_it_loses() -> None:
    losses = np.zeros((4, 4000))
    losses[:, 1000:] = 0.5
    found = adaptive_conformal(_scored(losses), alpha=0.02, audit_rate=0.05)
    assert found.calls[:, -500:].mean() > found.calls[:, 500:1000].mean() + 0.3


def test_an_e_process_certifies_and_takes_it_back() -> None:
    losses = np.zeros((2, 9000))
    losses[:, 3000:] = 0.5
    found = e_process(_scored(losses), alpha=0.05, delta=0.05, audit_rate=0.05)
    assert found.calls[:, 2000:3000].mean() < 0.2
    assert found.calls[:, -300:].mean() > 0.9


def test_an_e_process_is_wrong_in_few_streams_at_the_border() -> None:
    rng = np.random.default_rng(5)
    losses = (rng.random((200, 1500)) < 0.3).astype(np.float64)
    scored = _scored(losses)
    known = (rng.random((200, 400)) < 0.3).astype(np.float64)
    at_border = Scored(
        **{name: getattr(scored, name) for name in Scored.__slots__ if name != "known_losses"},
        known_losses=known,
    )
    found = e_process(at_border, alpha=0.25, delta=0.05, audit_rate=0.05)
    assert ((found.calls == 0.0).mean(axis=1) > 0.9).mean() <= 0.08


def test_scores_of_a_stream_come_from_its_own_table() -> None:
    world = _world()
    streams = [draw(world, n=1000, drift_at=500, seed=0, stream=s) for s in range(2)]
    seen = score_streams(world, streams, fit=100)
    assert seen.scores.shape == (2, 1000)
    assert seen.known.shape == (2, 150)
    assert seen.scores[:, :500].mean() > seen.scores[:, 500:].mean()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    questions = _questions(each=480)
    path = tmp_path / "made.jsonl"
    steps = questions.steps
    with path.open("w", encoding="utf-8") as stream:
        for m, name in enumerate(steps.names):
            for i in range(steps.n):
                row = {
                    "question_id": i,
                    "category": questions.categories[i],
                    "text": f"question {i}",
                    "model": name,
                    "answer": str(steps.codes[m, i]),
                    "correct": bool(steps.correct[m, i]),
                    "cost_usd": float(steps.cost_usd[m, i]),
                    "out_tokens": 20,
                }
                stream.write(json.dumps(row) + "\n")
    return path


def test_the_benchmark_prints_every_key_for_ours_and_rivals(table: Path) -> None:
    result = run(
        tables=[table],
        models=list(MODELS),
        strong="big",
        n=2500,
        drift_at=1500,
        promise=0.05,
        drift=["covariate"],
        streams=2,
    )
    keys = {"broken_before", "loss_after", "kept_after", "delay", "false_alarms"}
    keys |= {"llm_share_before", "llm_share_after"}
    assert keys <= set(result["measures"])
    assert set(result["peers"]) == {
        "e_process",
        "adaptive_conformal",
        "split_conformal",
        "agreement_gate",
        "without_a1",
        "calibrated_once",
    }
    for peer in result["peers"].values():
        assert {"broken_before", "loss_after", "kept_after"} <= set(peer["covariate"])
    assert result["measures"]["random_llm_share"]["value"] == 1.0
    json.dumps(result, allow_nan=False)


def test_what_is_fitted_later_in_a_window_is_not_waited_for_before() -> None:
    soon = Rung(name="soon", llm_share=0.9, rows=300.0)
    late = Rung(name="late", llm_share=0.0, rows=700.0)
    bets = Bets(rungs=(soon, late), at={"soon": 300}, since={"soon": 200, "late": 600}, pool={})
    assert bets.pick(350, planned=2000) == "soon"
    assert bets.pick(650, planned=2000) is None


def test_every_kind_of_drift_has_its_own_figures_and_bars(table: Path) -> None:
    result = run(
        tables=[table],
        models=list(MODELS),
        strong="big",
        n=1200,
        drift_at=600,
        promise=0.05,
        drift=["label", "llm"],
        streams=1,
        audit_rate=0.2,
    )
    assert {"kept_after", "llm_kept_after", "delay", "llm_delay"} <= set(result["bars"])
    assert {"blind_loss", "llm_blind_loss", "delay_allowed"} <= set(result["measures"])
    assert "covariate_kept_after" not in result["measures"]
    assert result["audit_rate"] == 0.2


def test_where_nothing_can_succeed_the_window_ends_early_and_only_the_llm_is_paid() -> None:
    world = _world("random")
    one = draw(world, n=2000, drift_at=2000, seed=0, stream=0)
    found = ride(world, one, plan=PLAN, drift=DriftPlan(loss=PLAN.loss))
    paid = world.steps.cost_usd[:, one.requests]
    collected = PLAN.fits[-1] + PLAN.every - len(one.table)
    np.testing.assert_allclose(found.usd[collected:], paid[3, collected:])
    assert (found.calls == 1.0).all()


def test_two_tables_are_joined_over_the_models_named(table: Path) -> None:
    other = table.with_name("other.jsonl")
    other.write_bytes(table.read_bytes())
    assert read_questions([table, other], ["small", "big"]).steps.n == 2 * 960


def test_a_table_named_twice_is_refused_for_its_questions_would_come_again(table: Path) -> None:
    with pytest.raises(ConfigError, match="give each once"):
        read_questions([table, table.parent / "." / table.name], ["small", "big"])


def test_a_strong_model_without_a_price_is_named(table: Path) -> None:
    free = table.with_name("free.jsonl")
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    free.write_text("\n".join(json.dumps(row | {"cost_usd": 0.0}) for row in rows), "utf-8")
    with pytest.raises(ConfigError, match="strong='big' costs 0 USD"):
        run(tables=[free], models=list(MODELS), strong="big")


def test_a_strong_model_that_is_never_right_has_no_canaries_and_is_not_asked() -> None:
    world = _world("none")
    world.steps.correct[world.steps.index("big")] = False
    one = draw(world, n=3000, drift_at=3000, seed=0, stream=0)
    found = ride(world, one, plan=PLAN, drift=DriftPlan(loss=PLAN.loss))
    assert found.served
    assert not found.alarms


def test_a_table_smaller_than_the_first_fit_is_filled_up_with_requests() -> None:
    world = open_world(
        _questions(each=150),
        "none",
        strong="big",
        before=["easy"],
        after=["easy"],
        rng=np.random.default_rng(1),
    )
    one = draw(world, n=3000, drift_at=3000, seed=0, stream=0)
    assert len(one.table) < PLAN.fits[0]
    found = ride(world, one, plan=PLAN, drift=DriftPlan(loss=PLAN.loss))
    assert found.served[0][0] > PLAN.fits[0] - len(one.table)
    assert score_streams(world, [one], fit=200).known.shape[1] == len(one.table) - 37


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strong": "huge"}, "strong='huge'"),
        ({"models": ["big"]}, "models="),
        ({"drift_at": 0}, "drift_at=0"),
        ({"drift_by": "day"}, "drift_by='day'"),
        ({"drift": ["weather"]}, "weather"),
        ({"streams": 0}, "streams=0"),
        ({"n": 10}, "n=10"),
        ({"audit_rate": 0.0}, "audit_rate=0.0"),
        ({"controllers": -1}, "controllers=-1"),
        ({"promise": 2.0}, "loss=2.0"),
        ({"after": ["medium"]}, "medium"),
        ({"after": ["easy", "hard"]}, "one side of the drift"),
        ({"tables": []}, "--table"),
    ],
)
def test_a_bad_argument_is_named(table: Path, change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"tables": [table], "models": list(MODELS), "strong": "big"}
    with pytest.raises((ConfigError, InputError), match=message):
        run(**(arguments | change))  # type: ignore[arg-type]
