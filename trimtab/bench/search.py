"""How fast our searches are, beside OpenSpiel and mctx, on Connect Four.

All contestants of a row take turns on one core, one thread each, in rounds; a rate is per second of
processor time, a ratio is the median over the rounds of one run. Compilation and the first turn are
timed apart. Only the workers' rows are wall-clock: their leaf function sleeps.

``net_vs_bare_ort`` is the smaller of the shares at batch 1 and 16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.bench.search_nets import forest_rates, leaf_rates, net_rates, parity, random_net
from trimtab.bench.search_playouts import playout_rates, reference_rates
from trimtab.bench.search_workers import quality_loss, worker_rates
from trimtab.bench.turns import Rates, one_core

BARS = (
    Bar(key="uct_vs_openspiel_python", at_least=200),
    Bar(key="uct_vs_openspiel_cpp", at_least=10),
    Bar(key="reference_vs_openspiel_python", at_least=1.5),
    Bar(key="forest_vs_mctx", at_least=3),
    Bar(key="net_vs_mctx_b1", at_least=1.0),
    Bar(key="net_vs_mctx_b16", at_least=1.4),
    Bar(key="net_vs_bare_ort", at_least=0.8),
    Bar(key="workers_8", at_least=7),
    Bar(key="workers_8_quality_loss", at_most=0.02),
    Bar(key="leaves_8", at_least=1.8),
)
SIMULATIONS = 128
NETS = {"small": (16, 4), "middle": (32, 4)}
PER_S = "simulations/CPU-s"


def run(
    *, quick: bool = False, seed: int = 0, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Return rates and ratios.

    Args:
        quick: fewer rounds and positions.
        seed: of playouts, openings, weights and positions.
        progress: told what is measured next.
    """
    tell = progress or (lambda line: None)
    rounds = 5 if quick else 11
    with one_core():
        tell("random playouts: UCT and the plain-Python reference")
        measures, first = _playouts(rounds=rounds, seed=seed)
        tell("a forest of trees beside mctx")
        for trees in (64, 256):
            rates = forest_rates(trees=trees, simulations=SIMULATIONS, rounds=rounds, seed=seed)
            measures |= _prefixed(rates, f"forest_{trees}", PER_S, ("mctx",))
            first[f"forest_{trees}"] = rates
        for size, (channels, blocks) in NETS.items():
            tell(f"a net of {blocks} blocks and {channels} channels")
            measures |= _nets(size, channels, blocks, rounds=rounds, seed=seed)
    tell("worker threads on a leaf function of 20 ms")
    measures |= _workers(quick=quick, seed=seed)
    return bench_result(
        "search",
        data="Connect Four",
        n=rounds,
        seed=seed,
        measures=_keys(measures) | measures | _first_turns(first),
        peers={
            "openspiel": _peer(measures, "uct.openspiel_cpp_rate"),
            "mctx": _peer(measures, "forest_64.mctx_rate"),
        },
        bars=BARS,
        packages=("numpy", "numba", "onnxruntime", "open_spiel", "mctx", "jax", "jaxlib"),
    )


def _playouts(*, rounds: int, seed: int) -> tuple[dict[str, Measure], dict[str, Rates]]:
    uct = playout_rates(simulations=20_000, rounds=rounds, seed=seed)
    reference = reference_rates(simulations=2_000, rounds=rounds, seed=seed)
    measures = {
        **_prefixed(uct, "uct", PER_S, ("openspiel_python", "openspiel_cpp")),
        **_prefixed(reference, "reference", PER_S, ("openspiel_python",)),
    }
    return measures, {"uct": uct}


def _nets(size: str, channels: int, blocks: int, *, rounds: int, seed: int) -> dict[str, Measure]:
    net = random_net(channels=channels, blocks=blocks, seed=seed)
    name = f"net_{size}"
    measures = {f"{name}.parity": Measure(value=parity(net, seed=seed), unit="largest difference")}
    for trees in (1, 16):
        rates = net_rates(net, trees=trees, simulations=SIMULATIONS, rounds=rounds, seed=seed)
        row = f"{name}_b{trees}"
        measures |= _prefixed(rates, row, PER_S, ("mctx",))
        measures[f"{row}.vs_bare"] = rates.ratio("evaluations", "bare")
        measures[f"{row}.bare_rate"] = rates.rate("bare", "evaluations/CPU-s")
        measures[f"{row}.evaluation_rate"] = rates.rate("evaluations", "evaluations/CPU-s")
    leaves = leaf_rates(net, leaves=8, simulations=SIMULATIONS, rounds=rounds, seed=seed)
    measures[f"{name}.leaves_8"] = leaves.ratio("several", "one")
    return measures


def _workers(*, quick: bool, seed: int) -> dict[str, Measure]:
    rates = worker_rates(simulations=256, rounds=1 if quick else 3)
    quality = quality_loss(positions=100 if quick else 400, simulations=SIMULATIONS, seed=seed)
    return {
        "workers_8": rates.ratio("eight", "one"),
        "workers_1_rate": rates.rate("one", "simulations/s"),
        "workers_8_rate": rates.rate("eight", "simulations/s"),
        **quality,
    }


def _prefixed(rates: Rates, row: str, unit: str, others: tuple[str, ...]) -> dict[str, Measure]:
    """Return the rates of a row, and ours over each other's."""
    names = ("ours", *others)
    return {
        **{f"{row}.{name}_rate": rates.rate(name, unit) for name in names},
        **{f"{row}.vs_{other}": rates.ratio("ours", other) for other in others},
    }


def _keys(measures: Mapping[str, Measure]) -> dict[str, Measure]:
    """Return the ratios that carry the bars, under their own names."""
    bare = [measures["net_small_b1.vs_bare"], measures["net_small_b16.vs_bare"]]
    return {
        "uct_vs_openspiel_python": measures["uct.vs_openspiel_python"],
        "uct_vs_openspiel_cpp": measures["uct.vs_openspiel_cpp"],
        "reference_vs_openspiel_python": measures["reference.vs_openspiel_python"],
        "forest_vs_mctx": measures["forest_64.vs_mctx"],
        "net_vs_mctx_b1": measures["net_small_b1.vs_mctx"],
        "net_vs_mctx_b16": measures["net_small_b16.vs_mctx"],
        "net_vs_bare_ort": min(bare, key=lambda measure: measure.value or 0.0),
        "workers_8": measures["workers_8"],
        "leaves_8": measures["net_small.leaves_8"],
    }


def _first_turns(rows: Mapping[str, Rates]) -> dict[str, Measure]:
    return {
        f"{row}.{name}_first_s": Measure(value=seconds, unit="CPU-s, compilation included")
        for row, rates in rows.items()
        for name, seconds in rates.first_s.items()
    }


def _peer(measures: Mapping[str, Measure], key: str) -> float | None:
    return measures[key].value
