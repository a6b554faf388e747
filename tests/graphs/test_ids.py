"""Ids of decisions never repeat, whoever draws them."""

from __future__ import annotations

import copy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from trimtab.graphs.ids import RandomIds

HUNDREDS = 5


def draw(ids: RandomIds, count: int) -> list[str]:
    return [ids() for _ in range(count)]


def test_ids_are_32_hex_digits() -> None:
    drawn = RandomIds()()
    assert len(drawn) == 32
    assert int(drawn, 16) >= 0


def test_threads_never_draw_the_same_id() -> None:
    ids = RandomIds()
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda _: draw(ids, 100 * HUNDREDS), range(8)))
    drawn = [drawn for part in parts for drawn in part]
    assert len(set(drawn)) == len(drawn)


def test_copy_draws_other_ids() -> None:
    ids = RandomIds()
    ids()
    assert set(draw(copy.copy(ids), 10)).isdisjoint(draw(ids, 10))


def test_forked_child_draws_other_ids() -> None:
    # in a process of its own: forking a process with threads is asking for trouble
    printed = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(printed) == 20
    assert len(set(printed)) == 20


FORKING = """
import os
from trimtab.graphs.ids import new_decision_id
new_decision_id()
child = os.fork()
if child:
    os.waitpid(child, 0)
print(*(new_decision_id() for _ in range(10)), flush=True)
"""
