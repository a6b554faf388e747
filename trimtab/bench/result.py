"""The one form that every benchmark prints."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA = "trimtab.bench/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure with its interval (None where it has none) and its unit."""

    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar on one measure: ``at_least`` or ``at_most``, exactly one of them given."""

    key: str
    at_least: float | None = None
    at_most: float | None = None

    def judge(self, measures: Mapping[str, Measure]) -> dict[str, Any]:
        """Return ``{need, ok}``; a figure that could not be measured is not ok."""
        value = measures[self.key].value
        if self.at_least is not None:
            ok = value is not None and value >= self.at_least
            return {"need": f">= {self.at_least}", "ok": ok}
        if self.at_most is not None:
            ok = value is not None and value <= self.at_most
            return {"need": f"<= {self.at_most}", "ok": ok}
        raise ValueError(f"bar {self.key!r} has neither at_least nor at_most")


def bench_result(
    name: str,
    *,
    data: str,
    n: int,
    seed: int,
    measures: Mapping[str, Measure],
    peers: Mapping[str, Any] | None = None,
    bars: Iterable[Bar] = (),
    packages: Iterable[str] = ("numpy", "onnxruntime", "scikit-learn"),
) -> dict[str, Any]:
    """Return the JSON object of a benchmark.

    Args:
        name: the benchmark's name on the command line.
        data: what was measured on, by name (bars hold only for the data that they name).
        n: rows, requests or events measured.
        seed: seed of every draw.
        measures: the figures, by key.
        peers: figures of other libraries from the same run; null where one is not installed.
        bars: what the figures must reach on this data.
        packages: distributions whose versions matter here.
    """
    return {
        "schema": SCHEMA,
        "name": name,
        "data": data,
        "n": n,
        "seed": seed,
        "machine": machine(),
        "versions": {"python": platform.python_version(), **versions(("trimtab", *packages))},
        "measures": {key: asdict(measure) for key, measure in measures.items()},
        "peers": dict(peers or {}),
        "bars": {bar.key: bar.judge(measures) for bar in bars},
    }


def spread(key: str, values: Sequence[float | None], *, unit: str) -> dict[str, Measure]:
    """Return the mean over splits, the middle 95 % of them as limits, and ``…_sd``.

    A value that could not be measured in one split is none in all: a mean over the splits that
    happen to have one misleads.
    """
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if len(known) < len(values):
        return {key: Measure(value=None, unit=unit), f"{key}_sd": Measure(value=None, unit=unit)}
    low, high = np.quantile(known, [0.025, 0.975])
    sd = float(known.std(ddof=1)) if len(known) > 1 else 0.0
    return {
        key: Measure(value=float(known.mean()), low=float(low), high=float(high), unit=unit),
        f"{key}_sd": Measure(value=sd, unit=unit),
    }


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Return the installed version of each distribution, None where it is absent."""
    found: dict[str, str | None] = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def machine() -> dict[str, Any]:
    """Return the processor's name, the cores this process may use, and the platform."""
    import os

    cpuinfo = Path("/proc/cpuinfo")
    model = platform.processor() or platform.machine()
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": model, "cores": cores, "platform": platform.platform(terse=True)}
