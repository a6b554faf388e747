"""Search by worker threads: the tree, its budgets, and what is left after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from trimtab.domains.connect_four import ConnectFour, ConnectFourState
from trimtab.errors import ConfigError, InputError, LeafFailed, LeafInvalid, SearchError
from trimtab.search.parallel import Leaf, WorkerConfig, WorkerResult, WorkerSearch

GAME = ConnectFour()
UNIFORM = (1 / 7,) * 7


def mover(state: ConnectFourState) -> int:
    return state.stones % 2


def uniform(state: ConnectFourState) -> Leaf:
    legal = GAME.legal_actions(state)
    return Leaf(
        priors=[1 / len(legal) if a in legal else 0.0 for a in range(7)], value=0.0, tokens=10
    )


def noted(state: ConnectFourState) -> Leaf:
    """Return priors and a value that differ from state to state, the same in every process."""
    rng = np.random.default_rng((state.mover, state.occupied))
    legal = GAME.legal_actions(state)
    weights = [float(rng.random()) + 0.1 if a in legal else 0.0 for a in range(7)]
    total = sum(weights)
    return Leaf(priors=[w / total for w in weights], value=float(rng.uniform(-0.5, 0.5)), tokens=10)


def search_of(text: str, config: WorkerConfig) -> WorkerSearch[ConnectFourState]:
    return WorkerSearch(GAME, GAME.from_text(text), player=mover, config=config)


def run(
    text: str, config: WorkerConfig, leaf: Callable[[ConnectFourState], Leaf] = uniform
) -> WorkerResult:
    return search_of(text, config).run(leaf)


class Reversed:
    """Answers calls in twos, the later one first, so that answers overtake each other."""

    def __init__(self) -> None:
        self._second_answered = threading.Event()
        self._first_waits = False
        self._lock = threading.Lock()

    def __call__(self, state: ConnectFourState) -> Leaf:
        with self._lock:
            first = not self._first_waits
            self._first_waits = first
            if first:
                self._second_answered = threading.Event()
            mine = self._second_answered
        if first and state.stones:
            # the root is called alone, and so is the last leaf
            mine.wait(0.05)
        answer = noted(state)
        mine.set()
        return answer


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize(
    ("text", "column"),
    [("121212", 1), ("1121212", 2), ("445566", 3), ("1445566", 3)],
    ids=["X in a column", "O in a column", "X in a row", "O in a row"],
)
def test_a_win_in_one_is_played(text: str, column: int, workers: int) -> None:
    state = GAME.from_text(text)
    wins = [c for c in GAME.legal_actions(state) if GAME.apply_action(state, c).won]
    result = run(text, WorkerConfig(simulations=64, workers=workers))
    assert result.action in wins
    assert result.proven == 1.0
    assert result.stopped == "proven"


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("text", ["12121", "112121", "17273", "717263"])
def test_a_threat_of_one_is_blocked(text: str, workers: int) -> None:
    state = GAME.from_text(text)

    def loses(column: int) -> bool:
        after = GAME.apply_action(state, column)
        return any(GAME.apply_action(after, reply).won for reply in GAME.legal_actions(after))

    safe = [c for c in GAME.legal_actions(state) if not loses(c)]
    assert len(safe) == 1
    assert run(text, WorkerConfig(simulations=200, workers=workers)).action == safe[0]


def test_the_tree_does_not_depend_on_who_answers_first() -> None:
    config = WorkerConfig(simulations=60, workers=2)
    assert run("start", config, Reversed()) == run("start", config, noted)


def test_answers_are_taken_as_they_come_where_order_is_not_asked_for() -> None:
    held = threading.Event()
    answered: list[int] = []

    def hold_one(state: ConnectFourState) -> Leaf:
        if state == GAME.from_text("4"):
            held.wait()
        answered.append(state.stones)
        if len(answered) == 20:
            held.set()
        return uniform(state)

    config = WorkerConfig(simulations=40, workers=2, ordered=False)
    assert run("start", config, hold_one).simulations == 40


def test_as_many_simulations_are_done_as_were_asked_for_and_no_virtual_loss_stays() -> None:
    search = search_of("44", WorkerConfig(simulations=50, workers=8))
    result = search.run(noted)
    assert result.simulations == sum(result.visit_counts) == 50
    assert result.stopped == "simulations"
    nodes = [search.tree.root]
    for node in nodes:
        assert not any(node.pending)
        assert not node.on_its_way
        nodes.extend(child for child in node.children if child is not None)


def test_the_calls_are_bounded() -> None:
    result = run("start", WorkerConfig(simulations=500, workers=8, calls=20))
    assert (result.calls, result.simulations, result.stopped) == (20, 19, "calls")


def test_a_call_begins_only_if_its_tokens_are_left() -> None:
    config = WorkerConfig(simulations=500, workers=8, tokens=105, tokens_per_call=10)
    result = run("start", config)
    assert (result.calls, result.tokens, result.stopped) == (10, 100, "tokens")


def test_a_call_that_uses_more_tokens_than_reserved_is_refused() -> None:
    config = WorkerConfig(tokens=100, tokens_per_call=5)
    with pytest.raises(LeafInvalid, match="10 tokens, more than tokens_per_call=5"):
        run("start", config)


def test_an_error_in_a_worker_keeps_the_search_so_far_and_the_search_goes_on() -> None:
    calls = 0
    lock = threading.Lock()

    def failing(state: ConnectFourState) -> Leaf:
        nonlocal calls
        with lock:
            calls += 1
            if calls == 30:
                raise ConnectionError("the service is gone")
        return noted(state)

    search = search_of("start", WorkerConfig(simulations=60, workers=4))
    with pytest.raises(LeafFailed, match="ConnectionError: the service is gone") as caught:
        search.run(failing)
    partial = caught.value.partial
    assert isinstance(partial, WorkerResult)
    assert partial.stopped == "failed"
    assert 20 <= partial.simulations < 30
    assert search.result() == partial
    assert search.run(noted).simulations == 60


def test_a_call_that_is_never_answered_ends_the_search_with_a_usable_result() -> None:
    never = threading.Event()

    def hanging(state: ConnectFourState) -> Leaf:
        if state == GAME.from_text("4"):
            never.wait()
        return uniform(state)

    config = WorkerConfig(simulations=60, workers=4, call_timeout_s=0.1)
    search = search_of("start", config)
    with pytest.raises(LeafFailed, match=r"call_timeout_s=0\.1") as caught:
        search.run(hanging)
    assert isinstance(caught.value.partial, WorkerResult)
    never.set()
    assert search.run(uniform).simulations == 60


def test_the_time_of_a_search_is_bounded() -> None:
    never = threading.Event()

    def hanging(state: ConnectFourState) -> Leaf:
        if state == GAME.from_text("4"):
            never.wait()
        return uniform(state)

    result = run("start", WorkerConfig(simulations=60, workers=4, timeout_s=0.1), hanging)
    assert result.stopped == "time"
    assert result.simulations < 60
    never.set()


@pytest.mark.parametrize(
    ("leaf", "told"),
    [
        (Leaf(priors=UNIFORM, value=float("nan")), "value=nan"),
        (Leaf(priors=UNIFORM, value=1.5), r"value=1\.5"),
        (Leaf(priors=(float("nan"), *UNIFORM[1:]), value=0.0), "must sum to 1"),
        (Leaf(priors=(0.5,) * 7, value=0.0), "must sum to 1"),
        (Leaf(priors=(0.5, 0.5), value=0.0), "7 priors"),
        ((UNIFORM, 0.0), "must return a Leaf"),
    ],
)
def test_an_answer_that_cannot_be_used_is_named(leaf: Leaf, told: str) -> None:
    with pytest.raises(LeafInvalid, match=told) as caught:
        run("start", WorkerConfig(), lambda state: leaf)
    assert caught.value.partial is None


def test_a_search_without_a_simulation_has_no_result() -> None:
    search = search_of("start", WorkerConfig(calls=1))
    with pytest.raises(SearchError, match="1 calls"):
        search.run(uniform)


def test_a_finished_position_is_refused() -> None:
    with pytest.raises(InputError, match="finished"):
        search_of("1212121", WorkerConfig())


@pytest.mark.parametrize(
    ("field", "value"),
    [("simulations", 0), ("workers", -1), ("calls", 0), ("c_puct", 0.0), ("timeout_s", -1.0)],
)
def test_a_setting_out_of_range_is_named(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{field}={value}"):
        replace(WorkerConfig(), **{field: value})


def test_a_token_budget_needs_the_most_that_a_call_can_use() -> None:
    with pytest.raises(ConfigError, match="tokens_per_call"):
        WorkerConfig(tokens=100)
