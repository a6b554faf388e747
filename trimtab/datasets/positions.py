"""Connect Four positions with exact scores, from JSON lines or from text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trimtab.datasets.json_lines import decoded, json_objects
from trimtab.domains.connect_four import ConnectFour, ConnectFourState
from trimtab.errors import InputError

COLUMNS = 7
LARGEST_SCORE = 18
_GAME = ConnectFour()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPosition:
    """A position with what a file says about it.

    ``score`` counts the stones that the winner has left at the end, plus one: positive if the
    player to move wins, 0 for a draw. ``move_scores`` has one score per column, None for a full
    one; it is None as a whole where the file has none.
    """

    moves: str
    state: ConnectFourState
    score: int
    move_scores: tuple[int | None, ...] | None = None


def read_positions(path: Path, *, limit: int | None = None) -> list[ScoredPosition]:
    """Return the positions of a file in their order, at most ``limit``.

    A ``.jsonl`` or ``.jsonl.gz`` file holds objects with ``moves`` and ``score``, and may hold
    ``move_scores``; any other file is read as text with ``moves score`` on each line.

    Raises:
        InputError: the file, or a line, cannot be used; the message names file, line and remedy.
    """
    path = Path(path)
    if limit is not None and limit < 1:
        raise InputError(f"limit={limit} asks for no position; use 1 or more, or none at all")
    read = _objects if path.name.lower().endswith((".jsonl", ".jsonl.gz")) else _lines
    positions: list[ScoredPosition] = []
    for position in read(path):
        positions.append(position)
        if len(positions) == limit:
            break
    if not positions:
        raise InputError(f"{path} holds no position; write one 'moves score' per line")
    return positions


def _objects(path: Path) -> Iterator[ScoredPosition]:
    for where, row in json_objects(path):
        missing = [key for key in ("moves", "score") if key not in row]
        if missing:
            raise InputError(f"{path}: {where}: {missing} is missing; present: {list(row)}")
        state = _state(path, where, row["moves"])
        position = ScoredPosition(
            moves=row["moves"],
            state=state,
            score=_score(path, where, "score", row["score"]),
            move_scores=_move_scores(path, where, state, row.get("move_scores")),
        )
        best = max((s for s in position.move_scores or () if s is not None), default=None)
        if best is not None and best != position.score:
            raise InputError(
                f"{path}: {where}: score={position.score} is not the largest of move_scores, "
                f"{best}; correct one of them"
            )
        yield position


def _lines(path: Path) -> Iterator[ScoredPosition]:
    if not path.is_file():
        raise InputError(f"{path} is not a file; check the path (here: {Path.cwd()})")
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(decoded(path, stream), start=1):
                if line.isspace():
                    continue
                where, words = f"line {number}", line.split()
                if len(words) != 2:
                    raise InputError(
                        f"{path}: {where}: {len(words)} words; write moves, a blank and the score"
                    )
                signless = words[1].removeprefix("-")
                score = int(words[1]) if signless.isascii() and signless.isdigit() else words[1]
                yield ScoredPosition(
                    moves=words[0],
                    state=_state(path, where, words[0]),
                    score=_score(path, where, "score", score),
                )
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error}); check it or copy it again") from error


def _state(path: Path, where: str, moves: object) -> ConnectFourState:
    if not isinstance(moves, str):
        raise InputError(f"{path}: {where}: moves={moves!r:.80} is no text; quote the digits")
    try:
        state = _GAME.from_text(moves)
    except InputError as error:
        raise InputError(f"{path}: {where}: {error}") from error
    if _GAME.is_terminal(state):
        raise InputError(f"{path}: {where}: moves={moves!r} end the game; drop the line")
    return state


def _score(path: Path, where: str, key: str, score: object) -> int:
    whole = isinstance(score, int) and not isinstance(score, bool)
    if not whole or abs(score) > LARGEST_SCORE:  # type: ignore[arg-type]  # whole says it
        raise InputError(
            f"{path}: {where}: {key}={score!r:.80} is no score; use a whole number from "
            f"-{LARGEST_SCORE} to {LARGEST_SCORE}"
        )
    return int(score)  # type: ignore[call-overload, no-any-return]


def _move_scores(
    path: Path, where: str, state: ConnectFourState, scores: object
) -> tuple[int | None, ...] | None:
    if scores is None:
        return None
    if not isinstance(scores, Sequence) or len(scores) != COLUMNS:
        raise InputError(
            f"{path}: {where}: move_scores={scores!r:.80} are not {COLUMNS} values; write one per "
            f"column, null for a full one"
        )
    full = [column for column, score in enumerate(scores) if score is None]
    expected = [column for column in range(COLUMNS) if column not in state.open_columns]
    if full != expected:
        raise InputError(
            f"{path}: {where}: move_scores has null for the columns {full} (from 0), but {expected}"
            f" are full; correct it"
        )
    return tuple(
        None if score is None else _score(path, where, f"move_scores[{column}]", score)
        for column, score in enumerate(scores)
    )
