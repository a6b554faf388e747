"""Machine code on disk: found again by another process, and never taken for another game's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from trimtab.search.compiled import Rules, build, cached, fingerprint, kernel

PROGRAM = """
import sys
import numpy as np
from tests.search import steps
from trimtab.search.compiled import build

for stride in map(int, sys.argv[1].split(",")):
    walk = build(steps.build_walk, steps.game(stride))
    print(stride, walk(np.zeros(1, np.uint64), 5), sum(walk.stats.cache_hits.values()))
"""
ROOT = Path(__file__).parents[2]


def _run(strides: str, cache: Path) -> list[list[int]]:
    """Return, for each stride, the stride, what its kernel said, and how often it was loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, strides],
        cwd=ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [[int(word) for word in line.split()] for line in done.stdout.splitlines()]


def test_other_processes_load_what_was_compiled_and_mix_nothing_up(tmp_path: Path) -> None:
    # both are compiled under the numbers that a process gives to its first functions
    [[_, three, loaded]] = _run("3", tmp_path)
    assert loaded == 0
    [[_, seven, loaded]] = _run("7", tmp_path)
    assert loaded == 0
    assert three != seven
    assert _run("3,7", tmp_path) == [[3, three, 1], [7, seven, 1]]


def _adder(step: int) -> Any:
    def add(x: int) -> int:
        return x + step

    return add


def test_a_fingerprint_follows_the_code_through_closures_and_calls() -> None:
    one, other = numba.njit(_adder(1)), numba.njit(_adder(2))

    def caller(inner: Any) -> Any:
        def call(x: int) -> Any:
            return inner(x)

        return call

    assert fingerprint(_adder(1)) == fingerprint(_adder(1))
    assert fingerprint(_adder(1)) != fingerprint(_adder(2))
    assert fingerprint(caller(one)) != fingerprint(caller(other))
    assert fingerprint(caller(one)) == fingerprint(caller(numba.njit(_adder(1))))
    assert fingerprint(caller(one)) != fingerprint(caller(numba.njit(fastmath=True)(_adder(1))))


@pytest.mark.parametrize("table", [np.arange(3), np.arange(3.0), np.arange(4)])
def test_a_fingerprint_follows_constant_tables(table: Any) -> None:
    def lookup(base: Any) -> Any:
        return lambda x: base[x]

    changed = table.copy()
    changed[-1] += 1
    assert fingerprint(lookup(table)) == fingerprint(lookup(table.copy()))
    assert fingerprint(lookup(table)) != fingerprint(lookup(changed))


def test_a_kernel_is_built_once_per_game() -> None:
    from tests.search import steps

    game = steps.game(3)
    assert build(steps.build_walk, game) is build(steps.build_walk, game)


def test_kernels_carry_their_fingerprint_in_their_names() -> None:
    first, second = kernel(_adder(1)), cached(_adder(2))
    assert first.py_func.__qualname__ != second.py_func.__qualname__
    assert Rules._fields == ("legal_mask", "play", "result")
