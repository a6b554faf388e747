"""Compiles kernels for one game, so that the machine code outlives the process.

A *builder* takes a game's :class:`Rules` and returns a kernel, a closure over them: numba inlines
the rules into it. numba's own cache on disk cannot keep such closures, for two reasons. It
identifies the functions in them by ids that each process draws anew, and notices changes of the
kernel's file only, not of the game's. And it names a function's machine code by its qualified name
and a number that counts in each process anew: the same closure over two games, one of them loaded
and one compiled, can get one name, and the linker then takes the first for both. Here both key and
name hold a fingerprint of the code itself, through every function that it reaches.

The files lie where numba puts them: ``NUMBA_CACHE_DIR``, else beside the source, else (a package
folder that cannot be written) in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from types import CellType, CodeType, FunctionType
from typing import Any, NamedTuple, TypeVar

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

from trimtab.protocols import AnyGame, Words

F = TypeVar("F", bound=Callable[..., Any])
Kernel = Callable[..., Any]


class Rules(NamedTuple):
    """The functions of a ``CompiledGame`` that decide how a game goes on."""

    legal_mask: Callable[[Words], np.uint64]
    play: Callable[[Words, int, Words], None]
    result: Callable[[Words], float]


def kernel(function: F) -> F:
    """Compile a function on its first call; division by zero gives inf or NaN, as in numpy."""
    return _compiled(function, {"error_model": "numpy"})


def cached(function: F) -> F:
    """Like :func:`kernel`, and keep the machine code on disk; for what Python itself calls."""
    compiled: Any = kernel(function)
    try:
        compiled._cache = _ContentCache(compiled.py_func)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        # a wholly read-only system: the search still works, and says what its start costs
        warnings.warn(
            f"{error}; it is compiled in each process: set NUMBA_CACHE_DIR to a folder that can "
            f"be written",
            RuntimeWarning,
            stacklevel=2,
        )
    return compiled  # type: ignore[no-any-return]


def build(builder: Callable[[Rules], Kernel], game: AnyGame) -> Kernel:
    """Return the kernel that a builder makes for a game, the same one each time in a process."""
    return _built(builder, Rules(game.legal_mask, game.play, game.result))


@lru_cache(maxsize=256)
def _built(builder: Callable[[Rules], Kernel], rules: Rules) -> Kernel:
    return builder(Rules(*(_renamed(function) for function in rules)))


def _compiled(function: F, options: dict[str, Any]) -> F:
    function.__qualname__ += f"_{fingerprint(function)}"
    compiled: Any = numba.njit(**options)(function)
    return compiled  # type: ignore[no-any-return]


def _renamed(value: Any) -> Any:  # noqa: ANN401 - whatever a closure holds
    """Return a copy of a compiled closure, named by its content; anything else as it is."""
    if not isinstance(value, Dispatcher) or not value.py_func.__closure__:
        return value
    old = value.py_func
    cells = tuple(CellType(_renamed(cell.cell_contents)) for cell in old.__closure__)
    new = FunctionType(old.__code__, old.__globals__, old.__name__, old.__defaults__, cells)
    new.__qualname__ = old.__qualname__
    kept = value.targetoptions.items()
    return _compiled(new, {k: v for k, v in kept if k not in ("cache", "nopython")})


@cache
def fingerprint(function: Kernel) -> str:
    """Return 16 hex digits that change when the code of the function, or of one it uses, does."""
    digest = hashlib.sha256()
    for part in _parts(function, set()):
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def _parts(value: object, seen: set[int]) -> Iterator[str]:
    if isinstance(value, Dispatcher):
        yield repr(sorted(value.targetoptions.items()))
        value = value.py_func
    # an intrinsic hides the function that writes its code
    value = getattr(value, "_defn", value)
    if not isinstance(value, FunctionType):
        yield _constant(value)
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    yield from _code_parts(value.__code__)
    cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
    reached = {name: cell.cell_contents for name, cell in cells}
    reached |= {n: value.__globals__[n] for n in _names(value.__code__) if n in value.__globals__}
    for name in sorted(reached):
        yield name
        yield from _parts(reached[name], seen)


def _code_parts(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_parts(constant)
        else:
            yield repr(constant)


def _names(code: CodeType) -> set[str]:
    nested = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*nested)


def _constant(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, int | float | str | bytes | tuple | np.generic | None):
        return repr(value)
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value))}"


class _ContentCache(FunctionCache):
    """numba's cache of compiled functions, keyed by what the code is, not by where it came from.

    The files are named after the function, and with it after its fingerprint: no two versions
    ever share one.
    """

    def _index_key(self, sig: object, codegen: Any) -> tuple[object, ...]:  # noqa: ANN401
        return (sig, codegen.magic_tuple(), self._py_func.__qualname__)
