"""What ``import trimtab`` costs, and which heavy libraries it leaves alone."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import trimtab
from trimtab.bench.result import Bar, Measure, bench_result

REPEATS = 9
# the second and the eighth of nine ordered values enclose the median with 96 % confidence
LOW, HIGH = 1, -2

HEAVY = ("torch", "openai", "wandb", "langgraph", "langchain_openai", "onnxruntime", "sklearn")
"""Libraries that ``import trimtab`` must not load."""

_CHILD = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
before = time.process_time()
import trimtab
bare = time.process_time() - before
loaded = [name for name in sys.argv[2:] if name in sys.modules]
trimtab.Trimtab
whole = time.process_time() - before
print(json.dumps({"bare": bare, "whole": whole, "loaded": loaded}))
"""


def run(*, repeats: int = REPEATS) -> dict[str, Any]:
    """Return CPU-seconds of the import, each from a fresh interpreter, and what it loaded.

    ``import_cpu_s`` is the bare import, ``sdk_import_cpu_s`` includes the client class; both leave
    out the interpreter's own start.
    """
    runs = [_import_once() for _ in range(repeats)]
    loaded = {name for once in runs for name in once["loaded"]}
    measures = {
        "import_cpu_s": _median([once["bare"] for once in runs]),
        "sdk_import_cpu_s": _median([once["whole"] for once in runs]),
        "heavy_modules": Measure(value=float(len(loaded)), unit="modules"),
    }
    for name in HEAVY:
        measures[f"loaded.{name}"] = Measure(value=float(name in loaded), unit="0 or 1")
    return bench_result(
        "import",
        data="fresh interpreters",
        n=repeats,
        seed=0,
        measures=measures,
        bars=[Bar(key="import_cpu_s", at_most=0.3), Bar(key="heavy_modules", at_most=0.0)],
    )


def _import_once() -> dict[str, Any]:
    root = Path(trimtab.__file__).parent.parent
    # -P: nothing from the folder in which the benchmark happens to run
    command = [sys.executable, "-P", "-c", _CHILD, str(root), *HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    once: dict[str, Any] = json.loads(done.stdout)
    return once


def _median(values: list[float]) -> Measure:
    ordered = sorted(values)
    enough = len(ordered) >= REPEATS
    return Measure(
        value=statistics.median(ordered),
        low=ordered[LOW] if enough else None,
        high=ordered[HIGH] if enough else None,
        unit="CPU-s",
    )
