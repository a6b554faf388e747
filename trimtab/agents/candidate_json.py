"""A pool of fitted candidates as plain JSON, and back, with everything checked that is read.

The candidates of a pool share one judge, which is written once. Numbers come back as they were, bit
by bit. M is the number of steps, F of a trail's features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from trimtab.agents.cascades import AgreementChain, Candidate, Cascade, Single, ValueCascade
from trimtab.agents.trail_features import members, trail_features
from trimtab.agents.trail_model import TrailModel
from trimtab.domains.tables import MAX_STEPS, Floats
from trimtab.errors import InputError

SCHEMA = "trimtab.candidates/1"
T = TypeVar("T")


def pool_to_json(pool: Sequence[Candidate]) -> dict[str, Any]:
    """Return candidates that share one judge and one strong step.

    Raises:
        InputError: there is none, or they do not share these.
    """
    if not pool or any(c.judge is not pool[0].judge or c.strong != pool[0].strong for c in pool):
        raise InputError("pool holds no candidates of one judge and one strong step; fit one pool")
    judge = pool[0].judge
    return {
        "schema": SCHEMA,
        "names": list(judge.names),
        "strong": pool[0].strong,
        "exact": judge.exact,
        "reads_signals": judge.reads_signals,
        "judge": {str(trail): w.tolist() for trail, w in judge.weights.items()},
        "candidates": [_cascade_to_json(one.cascade, judge) for one in pool],
    }


def pool_from_json(plain: Mapping[str, Any]) -> tuple[Candidate, ...]:
    """Return the candidates that :func:`pool_to_json` wrote.

    Raises:
        InputError: it is something else; the message names the field.
    """
    if plain.get("schema") != SCHEMA:
        raise InputError(
            f"schema={plain.get('schema')!r} is not {SCHEMA!r}; give what trimtab train controller "
            f"wrote"
        )
    names = _field(plain, "names", list)
    if not 1 <= len(names) <= MAX_STEPS or len(set(map(str, names))) < len(names):
        raise InputError(f"names={names!r}: 1 to {MAX_STEPS} steps, each with its own name")
    strong = _field(plain, "strong", str)
    if strong not in names:
        raise InputError(f"strong={strong!r} is none of the steps {names}; train again")
    bare = TrailModel(
        names=tuple(map(str, names)),
        weights={},
        exact=_field(plain, "exact", int),
        reads_signals=_field(plain, "reads_signals", bool),
    )
    weights = {}
    for key, rows in _field(plain, "judge", dict).items():
        trail = _trail(key, bare, "judge")
        shape = (_width(trail, bare), trail.bit_count())
        weights[trail] = _array(rows, shape, f"judge.{key}")
    judge = TrailModel(
        names=bare.names, weights=weights, exact=bare.exact, reads_signals=bare.reads_signals
    )
    return tuple(
        Candidate(cascade=_cascade_from_json(one, judge), judge=judge, strong=strong)
        for one in _field(plain, "candidates", list)
    )


def _cascade_to_json(cascade: Cascade, judge: TrailModel) -> dict[str, Any]:
    if isinstance(cascade, Single):
        return {"kind": "single", "step": cascade.step, "name": cascade.name}
    if isinstance(cascade, AgreementChain):
        return {
            "kind": "chain",
            "order": list(cascade.order),
            "needed": cascade.needed,
            "name": cascade.name,
            "last_decides": cascade.last_decides,
        }
    if isinstance(cascade, ValueCascade) and cascade.judge is judge:
        return {
            "kind": "value",
            "prices": cascade.prices.tolist(),
            "value_of_usd": cascade.value_of_usd,
            "further": {str(trail): list(after) for trail, after in cascade.further.items()},
            "gains": {str(trail): w.tolist() for trail, w in cascade.gains.items()},
        }
    raise InputError(f"candidate {cascade.name!r} has no JSON form; use one of {sorted(_READERS)}")


def _single(plain: Mapping[str, Any], judge: TrailModel) -> Cascade:
    return Single(step=_step(plain.get("step"), judge), name=_field(plain, "name", str))


def _chain(plain: Mapping[str, Any], judge: TrailModel) -> Cascade:
    order = tuple(_step(step, judge) for step in _field(plain, "order", list))
    needed = _field(plain, "needed", int)
    if len(set(order)) < len(order) or not 2 <= needed <= len(order):
        raise InputError(f"needed={needed}, order={list(order)}: no chain; train again")
    return AgreementChain(
        order=order,
        needed=needed,
        name=_field(plain, "name", str),
        last_decides=_field(plain, "last_decides", bool),
    )


def _value(plain: Mapping[str, Any], judge: TrailModel) -> Cascade:
    further = {
        _trail(key, judge, "further"): tuple(_step(step, judge) for step in after)
        for key, after in _field(plain, "further", dict).items()
    }
    gains = {}
    for key, rows in _field(plain, "gains", dict).items():
        trail = _trail(key, judge, "gains")
        after = further.get(trail, ())
        gains[trail] = _array(rows, (_width(trail, judge), len(after)), f"gains.{key}")
        if any(trail >> step & 1 or trail | 1 << step not in judge.weights for step in after):
            raise InputError(f"further.{key}={list(after)}: a step that ran or cannot be judged")
    return ValueCascade(
        judge=judge,
        prices=_array(plain.get("prices"), (len(judge.names),), "prices"),
        value_of_usd=_field(plain, "value_of_usd", float),
        further=further,
        gains=gains,
    )


_READERS: dict[str, Callable[[Mapping[str, Any], TrailModel], Cascade]] = {
    "single": _single,
    "chain": _chain,
    "value": _value,
}


def _cascade_from_json(plain: object, judge: TrailModel) -> Cascade:
    kind = plain.get("kind") if isinstance(plain, Mapping) else None
    reader = _READERS.get(str(kind))
    if reader is None or not isinstance(plain, Mapping):
        raise InputError(f"kind={kind!r} is no candidate; use one of {sorted(_READERS)}")
    return reader(plain, judge)


def _field(plain: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = plain.get(name)
    # bool is an int to Python, and to nobody who reads the file
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise InputError(f"{name}={value!r} is no {kind.__name__}; train the controller again")
    return value


def _step(value: object, judge: TrailModel) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < len(judge.names):
        raise InputError(f"step={value!r} is none of {len(judge.names)}; train again")
    return value


def _trail(key: object, judge: TrailModel, field: str) -> int:
    if not isinstance(key, str) or not key.isdecimal() or int(key) >> len(judge.names):
        raise InputError(f"{field}: trail {key!r} is no set of {len(judge.names)} steps")
    return int(key)


def _width(trail: int, judge: TrailModel) -> int:
    """Return F of a trail."""
    steps = len(judge.names)
    codes = np.zeros((steps, 1), dtype=np.int64)
    same = np.ones((steps, steps, 1), dtype=np.bool_)
    signals = np.zeros((int(judge.reads_signals), steps, 1))
    return int(trail_features(trail, codes, same, signals).shape[1]) if members(trail) else 1


def _array(rows: object, shape: tuple[int, ...], field: str) -> Floats:
    try:
        found = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{field} holds something else than numbers ({error})") from error
    if found.shape != shape or not np.isfinite(found).all():
        raise InputError(f"{field} is {found.shape} or not finite, not {shape}; train again")
    return found
