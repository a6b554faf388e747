"""Executors: the same results in the same order, and failures that name the task."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.search.test_root_parallel import SEEDS, game_of, task_of
from trimtab.errors import ConfigError, WorkerFailed
from trimtab.search.executors import Executor, Kind, open_executor
from trimtab.search.root_parallel import run_root_task

ROOT = Path(__file__).parents[2]
ON_RAY = """
import json
from tests.search.test_executors import draws_of, never_end_at_three, refuse_three
from tests.search.test_root_parallel import SEEDS, game_of, task_of
from trimtab.errors import WorkerFailed
from trimtab.search.executors import open_executor
from trimtab.search.root_parallel import root_parallel, run_root_task

with open_executor("ray", workers=2) as executor:
    draws = list(executor.map(draws_of, range(7)))
    told = {"draws": draws, "empty": list(executor.map(draws_of, []))}
    told["games"] = list(executor.map(game_of, SEEDS))
    vote = root_parallel(executor, run_root_task, [task_of("4453", seed) for seed in SEEDS])
    told["visits"] = vote.visit_counts
    for key, function in (("failure", refuse_three), ("late", never_end_at_three)):
        try:
            list(executor.map(function, [1, 2, 3, 4], timeout_s=5.0))
        except WorkerFailed as error:
            told[key] = str(error)
    print(json.dumps(told))
"""
# where it finds this file, Ray does not ask for the cloud's metadata, which the guard refuses
CLUSTER = ("ray_bootstrap_config.yaml", "provider: {type: local}\n")


def draws_of(seed: int) -> list[int]:
    rng = np.random.default_rng(seed)
    return [int(draw) for draw in rng.integers(1000, size=5)]


def refuse_three(seed: int) -> int:
    if seed == 3:
        raise ValueError(f"seed {seed} is not wanted")
    return seed


def die_at_three(seed: int) -> int:
    if seed == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return seed


def never_end_at_three(seed: int) -> int:
    if seed == 3:
        threading.Event().wait()
    return seed


@pytest.fixture(scope="module", params=["serial", "process"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    kind: Kind = request.param
    with open_executor(kind, workers=2) as opened:
        yield opened


def test_results_are_those_of_a_plain_loop_in_the_order_of_the_tasks(executor: Executor) -> None:
    seeds = list(range(7))
    assert list(executor.map(draws_of, seeds)) == [draws_of(seed) for seed in seeds]


def test_a_task_that_raises_is_named_and_what_came_before_it_stays(executor: Executor) -> None:
    results = executor.map(refuse_three, [1, 2, 3, 4])
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(WorkerFailed, match="task 3 of 4 raised ValueError: seed 3 is not wanted"):
        next(results)


def test_no_tasks_give_no_results(executor: Executor) -> None:
    assert list(executor.map(draws_of, [])) == []


def test_ray_gives_the_same_results_and_names_a_task_that_raises(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed: Ray is NOT tested here")
    (tmp_path / CLUSTER[0]).write_text(CLUSTER[1])
    # in a process of its own: Ray leaves processes behind for a while, and warns of them
    child = subprocess.run(
        [sys.executable, "-c", ON_RAY],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    told = json.loads(child.stdout.splitlines()[-1])
    assert told["draws"] == [draws_of(seed) for seed in range(7)]
    assert told["empty"] == []
    assert told["games"] == [game_of(seed) for seed in SEEDS]
    votes = [run_root_task(task_of("4453", seed)) for seed in SEEDS]
    assert told["visits"] == np.sum([vote.visit_counts for vote in votes], axis=0).tolist()
    assert told["failure"] == "task 3 of 4 raised ValueError: seed 3 is not wanted"
    assert told["late"].startswith("task 3 of 4 was not done within timeout_s=5.0")


def test_a_worker_process_that_dies_is_reported() -> None:
    with (
        open_executor("process", workers=1) as executor,
        pytest.raises(WorkerFailed, match="task 2 of 2: a worker process died"),
    ):
        list(executor.map(die_at_three, [1, 3]))


def test_a_task_that_never_ends_is_ended_with_its_process() -> None:
    with (
        open_executor("process", workers=1) as executor,
        pytest.raises(WorkerFailed, match=r"task 1 of 1 was not done within timeout_s=0\.1"),
    ):
        list(executor.map(never_end_at_three, [3], timeout_s=0.1))


def test_the_serial_executor_refuses_a_time_limit_that_it_cannot_keep() -> None:
    with (
        open_executor("serial", workers=1) as executor,
        pytest.raises(ConfigError, match="timeout_s=1"),
    ):
        list(executor.map(draws_of, [1], timeout_s=1.0))


def test_no_worker_is_refused() -> None:
    with pytest.raises(ConfigError, match="workers=0"):
        open_executor("process", workers=0)


def test_unknown_executor_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match="choose serial, process or ray"):
        open_executor("slurm", workers=1)  # type: ignore[arg-type]
