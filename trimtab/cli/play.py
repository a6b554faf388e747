"""``trimtab play``: a person against the agent, its thoughts beside the board."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from trimtab.cli.output import console
from trimtab.errors import ConfigError, IllegalAction
from trimtab.protocols import AnyAgent
from trimtab.records import Prediction

if TYPE_CHECKING:
    from trimtab.domains.connect_four import ConnectFour, ConnectFourState

play_app = typer.Typer(no_args_is_help=True, help="Play against the agent in the terminal.")
QUIT = ("q", "quit", "exit")


@play_app.callback()
def _play() -> None:
    """Play against the agent in the terminal."""


@play_app.command("connect-four")
def connect_four(
    first: Annotated[Literal["human", "agent"], typer.Option(help="Who begins.")] = "human",
    simulations: Annotated[int, typer.Option(min=1, help="Of the agent's search.")] = 600,
    llm: Annotated[bool, typer.Option("--llm", help="Play against the LLM instead.")] = False,
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle of the net; the shipped one if none.")
    ] = None,
) -> None:
    """Play Connect Four: type a column, 1 to 7, or q to quit."""
    from trimtab.app.game_serving import opponent
    from trimtab.app.serving import LLM, shipped_bundle
    from trimtab.domains.connect_four import ConnectFour
    from trimtab.release.bundle import load
    from trimtab.settings import load_settings

    if llm and bundle is not None:
        raise ConfigError(f"bundle={bundle} with --llm, which reads none; leave one of them out")
    settings, domain = load_settings(), ConnectFour()
    with ExitStack() as stack:
        agent: AnyAgent
        if llm:
            opened = LLM(settings)
            stack.callback(opened.close)
            agent = opened.agent(domain)
        else:
            folder = bundle or shipped_bundle(domain.name)
            agent = opponent(
                load(folder, domain=domain.name), simulations=simulations, settings=settings
            )
        end = match(domain, agent, human_first=first == "human", read=sys.stdin.readline)
    typer.echo(domain.to_text(end))


def match(
    domain: ConnectFour, agent: AnyAgent, *, human_first: bool, read: Callable[[], str]
) -> ConnectFourState:
    """Play one game on the terminal and return its last position.

    Args:
        domain: the game.
        agent: plays the other side.
        human_first: whether the person begins.
        read: gives the person's next line, empty at the end of the input.
    """
    state = domain.initial_state(0)
    thoughts: Table | str = ""
    human = human_first
    while not domain.is_terminal(state):
        if human:
            _show(domain, state, thoughts)
            action = _ask(domain, state, read)
            if action is None:
                console.print("The game was left unfinished.")
                return state
        else:
            [prediction] = agent.predict([state])
            action = domain.index(domain.canonical(prediction.action))
            thoughts = _thoughts(domain, prediction)
        state = domain.apply_action(state, action)
        human = not human
    _show(domain, state, thoughts)
    if state.won:
        console.print("The agent has won." if human else "You have won.")
    return state


def _ask(domain: ConnectFour, state: ConnectFourState, read: Callable[[], str]) -> int | None:
    """Return the person's move, None where there will be none."""
    while True:
        console.print("your column (q to quit): ", end="")
        line = read()
        text = line.strip()
        if not line or text.casefold() in QUIT:
            return None
        try:
            action = domain.index(text)
            domain.apply_action(state, action)
        except IllegalAction:
            legal = " ".join(domain.canonical(a) for a in domain.legal_actions(state))
            told = f"{text[:40]!r} cannot be played; type one of {legal}, or q to quit"
            console.print(told, markup=False)
            continue
        return action


def _show(domain: ConnectFour, state: ConnectFourState, thoughts: Table | str) -> None:
    page = Table.grid(padding=(0, 4))
    page.add_column(no_wrap=True)
    page.add_row(domain.board_text(state), thoughts)
    console.print(page)


def _thoughts(domain: ConnectFour, prediction: Prediction) -> Table:
    table = Table.grid(padding=(0, 2))
    sure = "" if prediction.confidence is None else f", {prediction.confidence:.0%} sure"
    worth = "" if prediction.value is None else f", expects {prediction.value:+.2f}"
    played = domain.canonical(prediction.action)
    table.add_row(f"{prediction.agent} ({prediction.tier}) plays {played}{sure}{worth}")
    for line in _trace(prediction.trace):
        table.add_row(line)
    return table


def _trace(trace: Any) -> list[str]:  # noqa: ANN401 - plain JSON
    """Return the lines of a search's trace; none of an agent that has no trace."""
    if "moves" not in trace:
        return []
    moves = sorted(trace["moves"], key=lambda move: -move["visits"])
    considered = [
        f"column {move['move']}: {move['visits']} visits, value {move['value']:+.2f}"
        for move in moves[:4]
    ]
    expected = " ".join(step["move"] for step in trace["line"])
    return [*considered, f"expects {expected}"]
