"""The tables and drawings of the comparison page, made from the benchmark's figures alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trimtab.bench.recursion import NETS, POINTS, SHOWN
from trimtab.errors import ConfigError
from trimtab.evals.lines_plot import lines_plot

TITLES: Mapping[str, str] = {
    "trm": "TRM",
    "hrm": "HRM",
    "loop": "outer loop alone",
    "trm_no_twins": "TRM without twins",
    "plain": "feed-forward, equal size",
    "plain_deep": "feed-forward, equal compute",
}
BEGIN = "<!-- figures: begin -->"
END = "<!-- figures: end -->"
DRAWINGS = ("recursion-steps.svg", "recursion-minutes.svg")


def update_page(page: Path, result: Mapping[str, Any]) -> None:
    """Write the drawings, and the tables between the page's two marks; the rest stays.

    The drawings go into the folder ``results`` beside the page.

    Raises:
        ConfigError: the page is absent, or lacks its marks.
    """
    before, after = check_page(page)
    folder = page.parent / "results"
    folder.mkdir(exist_ok=True)
    for name, drawn in zip(DRAWINGS, drawings(result), strict=True):
        (folder / name).write_text(drawn + "\n", encoding="utf-8")
    page.write_text(f"{before}{BEGIN}\n{tables(result)}{END}{after}", encoding="utf-8")


def check_page(page: Path) -> tuple[str, str]:
    """Return what stands before and after the tables.

    Raises:
        ConfigError: the page is absent, or lacks its marks.
    """
    if not page.is_file():
        raise ConfigError(f"page={page} is not a file; give a page that holds {BEGIN} and {END}")
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"page={page} lacks {BEGIN} or {END}; put both where the tables belong")
    return before, after


def tables(result: Mapping[str, Any]) -> str:
    """Return the page's tables in Markdown."""
    measures, nets = result["measures"], _nets(result)

    def value(key: str) -> float:
        found: float = measures[key]["value"]
        return found

    steps = [
        [
            TITLES[net],
            f"{value(f'parameters.{net}'):,.0f}",
            *(f"{100.0 * value(f'exact_step_{step}.{net}'):.1f}" for step in SHOWN),
            _with_interval(measures[f"exact_best_q.{net}"]),
        ]
        for net in nets
    ]
    minutes = [
        [
            TITLES[net],
            f"{value(f'optimiser_steps.{net}'):,.0f}",
            *(f"{100.0 * value(f'curve_{point}_exact.{net}'):.1f}" for point in _points()),
        ]
        for net in nets
    ]
    seconds = [f"{value(f'curve_{point}_cpu_s.{nets[0]}'):.0f} s" for point in _points()]
    times = [
        [
            TITLES[net],
            f"{value(f'step_ms.{net}'):.2f}",
            f"{value(f'step_ms_p95.{net}'):.2f}",
            f"{value(f'step_vs_torch.{net}'):.2f}",
        ]
        for net in nets
    ]
    machine = result["machine"]
    return (
        f"{result['data']}; n = {result['n']:,} unseen puzzles, seed {result['seed']}, one thread "
        f"of an {machine['cpu']}.\n\n"
        "Exact answers in % after each step, and of the step with the largest q "
        "(95 % interval):\n\n"
        + _table(["net", "parameters", *(str(step) for step in SHOWN), "best q"], steps)
        + f"\n![Exact answers by step](results/{DRAWINGS[0]})\n\n"
        "Exact answers in % along the processor seconds of training, best q of 8 steps:\n\n"
        + _table(["net", "optimiser steps", *seconds], minutes)
        + f"\n![Exact answers by processor minutes](results/{DRAWINGS[1]})\n\n"
        "One step of one puzzle on ONNX Runtime, CPU milliseconds:\n\n"
        + _table(["net", "median", "p95", "share of torch's"], times)
    )


def drawings(result: Mapping[str, Any]) -> tuple[str, str]:
    """Return the drawings by step and by processor minutes."""
    measures, nets = result["measures"], _nets(result)
    by_step = {
        TITLES[net]: [
            (math.log2(step), measures[f"exact_step_{step}.{net}"]["value"]) for step in SHOWN
        ]
        for net in nets
    }
    by_minute = {
        TITLES[net]: [
            (0.0, 0.0),
            *(
                (
                    measures[f"curve_{point}_cpu_s.{net}"]["value"] / 60.0,
                    measures[f"curve_{point}_exact.{net}"]["value"],
                )
                for point in _points()
            ),
        ]
        for net in nets
    }
    return (
        lines_plot(
            "Share of unseen puzzles solved exactly after each supervision step",
            by_step,
            x_label="supervision steps",
            y_label="solved exactly",
            ticks=[(math.log2(step), str(step)) for step in SHOWN],
            room=180,
        ),
        lines_plot(
            "Share of unseen puzzles solved exactly along the processor time of training",
            by_minute,
            x_label="processor minutes",
            y_label="solved exactly",
            room=180,
        ),
    )


def _nets(result: Mapping[str, Any]) -> list[str]:
    return [net for net in NETS if f"parameters.{net}" in result["measures"]]


def _points() -> Sequence[int]:
    return range(1, POINTS + 1)


def _with_interval(measure: Mapping[str, float]) -> str:
    value, low, high = (100.0 * measure[name] for name in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f}–{high:.1f})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
