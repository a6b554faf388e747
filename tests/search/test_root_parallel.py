"""Root parallelism: one vote, and the same games, whatever the executor."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.domains.connect_four import ConnectFour
from trimtab.errors import ConfigError, WorkerFailed
from trimtab.protocols import ONGOING, Array, Words
from trimtab.search.executors import open_executor
from trimtab.search.mcts import Evaluator, MCTSConfig, search
from trimtab.search.root_parallel import RootTask, RootVote, root_parallel, run_root_task

DOMAIN = ConnectFour()
NOISY = MCTSConfig(simulations=48, noise=0.25)
SEEDS = (3, 4, 5, 6)


def make_uniform() -> Evaluator:
    return uniform


def uniform(rows: Words) -> tuple[Array, Array]:
    states = [DOMAIN.compiled.decode(row) for row in rows]
    legal = np.zeros((len(rows), 7), np.float32)
    for index, state in enumerate(states):
        legal[index, list(DOMAIN.legal_actions(state))] = 1.0
    return legal / legal.sum(axis=1, keepdims=True), np.zeros(len(rows), np.float32)


def make_broken() -> Evaluator:
    return lambda rows: (np.zeros((len(rows), 7), np.float32), np.zeros(len(rows), np.float32))


def task_of(text: str, seed: int) -> RootTask:
    game = DOMAIN.compiled
    row = tuple(game.encode(DOMAIN.from_text(text)).tolist())
    return RootTask(game=game, make_evaluator=make_uniform, row=row, config=NOISY, seed=seed)


def game_of(seed: int) -> str:
    """Return the moves of a game that a search plays against itself."""
    game, state = DOMAIN.compiled, DOMAIN.initial_state(seed)
    config = MCTSConfig(simulations=16, noise=0.25, temperature=1.0)
    while not DOMAIN.is_terminal(state):
        seeds = [100 * seed + state.stones]
        result = search(game, game.encode(state)[None], uniform, config, seeds)
        state = DOMAIN.apply_action(state, int(result.action[0]))
    return DOMAIN.to_text(state)


def fixed_vote(vote: RootVote) -> RootVote:
    return vote


def vote(action: int, visits: tuple[int, ...], proven: float = ONGOING) -> RootVote:
    return RootVote(
        action=action, visit_counts=visits, value_sums=tuple(0.1 * n for n in visits), proven=proven
    )


def test_processes_give_the_votes_and_the_games_of_a_plain_loop() -> None:
    tasks = [task_of("4453", seed) for seed in SEEDS]
    with open_executor("process", workers=2) as executor:
        voted = root_parallel(executor, run_root_task, tasks)
        games = list(executor.map(game_of, SEEDS))
    with open_executor("serial", workers=1) as executor:
        assert voted == root_parallel(executor, run_root_task, tasks)
    assert games == [game_of(seed) for seed in SEEDS]
    assert len(set(games)) == len(SEEDS)


def test_a_vote_is_the_sum_of_searches_that_differ() -> None:
    votes = [run_root_task(task_of("4453", seed)) for seed in SEEDS]
    assert len({one.visit_counts for one in votes}) > 1
    with open_executor("serial", workers=1) as executor:
        total = root_parallel(executor, fixed_vote, votes)
    assert sum(total.visit_counts) == 48 * len(SEEDS)
    assert total.action == int(np.argmax(total.visit_counts))


@pytest.mark.parametrize(
    ("text", "column"), [("121212", 0), ("1121212", 0), ("12121", 0), ("112121", 0)]
)
def test_wins_in_one_are_played_and_threats_of_one_blocked(text: str, column: int) -> None:
    with open_executor("serial", workers=1) as executor:
        total = root_parallel(executor, run_root_task, [task_of(text, seed) for seed in SEEDS])
    assert total.action == column


def test_a_search_that_knows_the_result_outvotes_the_others() -> None:
    votes = [vote(0, (30, 10, 8)), vote(2, (20, 5, 2), proven=1.0)]
    with open_executor("serial", workers=1) as executor:
        total = root_parallel(executor, fixed_vote, votes)
    assert (total.action, total.proven, total.visit_counts) == (2, 1.0, (50, 15, 10))


def test_ties_go_to_the_lower_action() -> None:
    with open_executor("serial", workers=1) as executor:
        assert root_parallel(executor, fixed_vote, [vote(2, (0, 7, 7))]).action == 1


def test_an_evaluator_that_fails_in_its_process_is_named() -> None:
    task = task_of("4453", 1)
    broken = RootTask(
        game=task.game, make_evaluator=make_broken, row=task.row, config=NOISY, seed=1
    )
    with (
        open_executor("process", workers=1) as executor,
        pytest.raises(WorkerFailed, match="task 1 of 1 raised LeafInvalid"),
    ):
        root_parallel(executor, run_root_task, [broken])


def test_no_task_is_refused() -> None:
    with (
        open_executor("serial", workers=1) as executor,
        pytest.raises(ConfigError, match="at least one"),
    ):
        root_parallel(executor, run_root_task, [])
