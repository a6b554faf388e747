"""Packs a trained policy-value net: weights, graph, recipe and a card of what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from trimtab.agents.board_gates import ACCEPT, SPEC
from trimtab.agents.board_net import GRAPH, KIND
from trimtab.records import Bundle
from trimtab.release.bundle import pack
from trimtab.stats.intervals import Estimate
from trimtab.training.board_gates import FittedGates
from trimtab.training.recipes import TrainConfig
from trimtab.training.self_play import SelfPlayConfig

WEIGHTS = "net.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What a training took.

    Attributes:
        cpu_s: processor seconds of self-play and fitting, over all processes.
        wall_s: seconds by the clock.
        games: played.
        iterations: done; fewer than the recipe's if it was ended early.
    """

    cpu_s: float
    wall_s: float
    games: int
    iterations: int


def pack_board_net(
    folder: Path,
    *,
    graph: bytes,
    weights: Mapping[str, Tensor],
    game: str,
    config: TrainConfig,
    effort: Effort,
    rates: Mapping[str, Estimate],
    command: str,
    gates: FittedGates | None = None,
    parent: str | None = None,
) -> Bundle:
    """Write a net's bundle and return its record.

    Args:
        folder: must not exist, or be empty.
        graph: the ONNX graph that is served.
        weights: the same weights by the names of the net's parameters.
        game: name of the domain.
        config: the recipe.
        effort: what it took.
        rates: mistake rates by what was measured.
        command: that trains such a net.
        gates: what it may believe; a net without is measured, but answers no requests.
        parent: id of the bundle that it was trained from.

    Raises:
        BundleError: the folder holds something else or cannot be written.
    """
    plain = {name: tensor.detach().contiguous() for name, tensor in weights.items()}
    return pack(
        folder,
        domain=game,
        files={GRAPH: graph, WEIGHTS: save(plain)},
        thresholds={} if gates is None else {ACCEPT: gates.accept},
        metrics={name: rate.value for name, rate in rates.items()}
        | {"cpu_s": round(effort.cpu_s, 1), "iterations": effort.iterations}
        | dict({} if gates is None else gates.metrics),
        card=_card(game, config, effort, rates, command, sum(t.numel() for t in plain.values()))
        + ("" if gates is None else f"\n{gates.card()}"),
        spec={"kind": KIND, "game": game, "net": config.net.to_json(), "recipe": config.to_json()}
        | ({} if gates is None else {SPEC: gates.gates.to_json()}),
        parent=parent,
    )


def _card(
    game: str,
    config: TrainConfig,
    effort: Effort,
    rates: Mapping[str, Estimate],
    command: str,
    parameters: int,
) -> str:
    net, play = config.net, config.play
    lines = (
        f" Planes that count open lines of {net.line_length} are computed from the stones."
        if net.line_length
        else ""
    )
    measured = "\n".join(
        f"| {name} | {rate.value:.4f} | {_limits(rate)} | {rate.n} |"
        for name, rate in rates.items()
    )
    settings = "\n".join(
        f"| {name} | {value} |"
        for part in (net.to_json(), asdict(config.learn), _plain(play), _own(config))
        for name, value in part.items()
    )
    return (
        f"# Policy-value net for {game}\n\n"
        f"{net.blocks} residual blocks of {net.channels} channels with squeeze-and-excitation, "
        f"{parameters:,} parameters, {net.actions} actions.{lines} It was taught by self-play "
        f"alone: policies and values come from its own searches of {play.search.simulations} "
        f"simulations, from the ends of its games and from results that a search has proven; no "
        f"solver labelled anything.\n\n"
        f"`{command}` made it: {effort.iterations} iterations, {effort.games:,} games, seed "
        f"{config.seed}, {effort.cpu_s / 60:.1f} processor minutes in {effort.wall_s / 60:.0f} "
        f"minutes by the clock.\n\n"
        f"## Measured\n\nA mistake is a move after which the exact win, draw or loss is worse for "
        f"the mover. Positions after uniformly random moves, none of them used in training, solved "
        f"exactly; 95 % intervals.\n\n"
        f"| measure | mistake rate | interval | n |\n|---|---|---|---|\n{measured}\n\n"
        f"## Recipe\n\n| setting | value |\n|---|---|\n{settings}\n"
    )


def _limits(rate: Estimate) -> str:
    return "none" if rate.low is None else f"{rate.low:.4f} to {rate.high:.4f}"


def _plain(play: SelfPlayConfig) -> dict[str, object]:
    flat = asdict(play)
    search = {f"search_{name}": value for name, value in flat.pop("search").items()}
    return {**flat, **search}


def _own(config: TrainConfig) -> dict[str, object]:
    return {
        name: value
        for name, value in config.to_json().items()
        if name not in ("net", "learn", "play")
    }
