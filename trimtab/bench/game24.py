"""The Game of 24 by search: how many puzzles are solved, and after how many simulations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trimtab.agents.game24_search import (
    SIMULATIONS,
    Game24Steps,
    Priors,
    ProposedPriors,
    Solved,
    even_priors,
    solve_game24,
)
from trimtab.app.serving import LLM
from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.datasets.tables import table_rows
from trimtab.domains.game24 import MAX_NUMBERS, Game24, Game24State
from trimtab.errors import ConfigError, InputError
from trimtab.settings import load_settings
from trimtab.stats import proportion, quantile

COLUMN = "puzzle"
_NAMED = 20


def run(
    *,
    file: Path,
    simulations: int = SIMULATIONS,
    priors: str = "even",
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return the share of puzzles solved and the simulations that they took.

    Every expression is checked exactly. ``unsolved`` names the first puzzles without one, by line,
    with whether that is proven. The quantiles are over all puzzles, unsolved ones included.

    Args:
        file: a table with the column ``puzzle``: two to four whole numbers, blanks between them.
        simulations: at most, of each puzzle.
        priors: ``even``, or ``llm``: half of the weight on what the LLM of the settings proposes.
        limit: read at most so many puzzles.
        seed: of the playouts.
        progress: called with a line for each puzzle without a solution.

    Raises:
        InputError: the file or a puzzle in it cannot be used.
        ConfigError: unknown priors, or a limit or budget below 1.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"limit={limit} asks for no puzzle; use 1 or more, or none at all")
    puzzles = _read(file, limit)
    solved: list[Solved] = []
    unsolved: list[str] = []
    with _priors(priors) as prior:
        for number, (where, state) in enumerate(puzzles):
            found = solve_game24(state, seed=seed + number, simulations=simulations, priors=prior)
            solved.append(found)
            if found.expression is None or Game24().check(state, found.expression) != 1.0:
                known = "has no solution" if found.proven else f"not within {simulations}"
                unsolved.append(f"{where}: {Game24().to_text(state)}: {known}")
                progress(unsolved[-1])
    share = proportion(len(puzzles) - len(unsolved), len(puzzles))
    measures = {"solved": Measure(value=share.value, low=share.low, high=share.high)}
    for key, q in (("simulations_p50", 0.5), ("simulations_p95", 0.95)):
        at = quantile([one.simulations for one in solved], q)
        measures[key] = Measure(value=at.value, low=at.low, high=at.high, unit="simulations")
    most = max(one.simulations for one in solved)
    measures["simulations_most"] = Measure(value=most, unit="simulations")
    if isinstance(prior, ProposedPriors):
        measures["proposals"] = Measure(value=prior.asked, unit="replies of the LLM")
        measures["proposals_unreadable"] = Measure(value=prior.unreadable, unit="replies")
    result = bench_result(
        "game24",
        data=file.name.split(".")[0],
        n=len(puzzles),
        seed=seed,
        measures=measures,
        bars=[Bar(key="solved", at_least=1.0)],
        packages=("numpy",),
    )
    return {**result, "unsolved": unsolved[:_NAMED]}


@contextmanager
def _priors(name: str) -> Iterator[Priors]:
    if name == "even":
        yield even_priors
    elif name == "llm":
        llm = LLM(load_settings())
        try:
            yield ProposedPriors(llm.agent(Game24Steps()))
        finally:
            llm.close()
    else:
        raise ConfigError(f"priors={name!r} are unknown; use even or llm")


def _read(file: Path, limit: int | None) -> list[tuple[str, Game24State]]:
    puzzles: list[tuple[str, Game24State]] = []
    for where, (cell,) in table_rows(file, [COLUMN]):
        words = str(cell).split()
        if not 2 <= len(words) <= MAX_NUMBERS or not all(
            w.isascii() and w.isdigit() for w in words
        ):
            raise InputError(
                f"{file}: {where}: {COLUMN}={cell!r:.80} is no puzzle; write 2 to {MAX_NUMBERS} "
                f"whole numbers with blanks between them"
            )
        try:
            puzzles.append((where, Game24().from_text(" ".join(words))))
        except InputError as error:
            raise InputError(f"{file}: {where}: {error}") from error
        if len(puzzles) == limit:
            break
    if not puzzles:
        raise InputError(f"{file} holds no puzzle; write one a line under {COLUMN}")
    return puzzles
