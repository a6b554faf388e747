"""Pages of the demo's rows whose answers are judged by more than agreement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from trimtab.cli.tables import verdict_sentence


def connect_four(row: Mapping[str, Any]) -> list[Any]:
    """Return what the row on Connect Four shows."""
    low, high = row["stones"]
    title = f"{row['n']} positions of {low} to {high} stones in which a move can be wrong"
    return [
        _table(row, title),
        "  by the agent that answered; right: the move keeps the exact win, draw or loss; ms and "
        "USD per 1,000 moves hold every step of the climb",
        *_player(row["llm"], answer="legal column", unit="positions"),
    ]


def puzzles(row: Mapping[str, Any]) -> list[Any]:
    """Return what the row on puzzles shows."""
    played = " (recorded answers)" if row["recorded"] else ""
    parts: list[Any] = [_table(one, _puzzles_title(one)) for one in row["puzzles"]]
    parts.append(
        "  by the agent that answered; right: every cell is; ms and USD per 1,000 puzzles hold "
        "every step of the climb"
    )
    for one in row["puzzles"]:
        if one["llm"] is not None:
            parts += _player(one["llm"], answer="whole grid", unit=one["puzzle"], played=played)
    return parts


def papers(row: Mapping[str, Any]) -> list[Any]:
    """Return what the row on papers shows."""
    cited, answered, refused = (spelled(row[name]) for name in ("cited", "answered", "refused"))
    parts: list[Any] = [
        f"  {row['n']} questions of the test half over {row['papers']} papers: {answered[0]} of "
        f"the answerable ones answered ({answered[1]}), {refused[0]} of the others refused "
        f"({refused[1]}); {cited[0]} of the citations name a right paper ({cited[1]})",
        f"  {row['cpu_ms']:.0f} CPU-ms and {row['usd_per_1000']:.2g} USD per 1,000; the LLM was "
        f"asked for {row['llm_share']:.1%} (the embedded one never is)",
    ]
    for one in row["shown"]:
        said = "\n".join([one["text"], *one["sources"]])
        title = f"{one['question']} ({one['mark']}, {one['confidence']:.2f})"
        parts.append(Panel(Text(said), title=Text(title), title_align="left"))
    return parts


def spelled(figures: Mapping[str, Any]) -> tuple[str, str]:
    """Return a share and its interval in words."""
    if figures["accuracy"] is None:
        return "-", ""
    return f"{figures['accuracy']:.1%}", f"{figures['low']:.1%} … {figures['high']:.1%}"


def _puzzles_title(row: Mapping[str, Any]) -> str:
    grades = f", {', '.join(row['grades'])} in turn" if row["grades"] else ""
    return f"{row['n']} generated {row['puzzle']}{grades}"


def _table(row: Mapping[str, Any], title: str) -> Table:
    table = Table(title=title)
    for heading in ("agent", "share", "right", "95 % interval", "net alone there", "ms", "USD"):
        table.add_column(heading, justify="left" if heading == "agent" else "right")
    for step in row["steps"]:
        if not step["n"]:
            table.add_row(step["agent"], "0.0%")
            continue
        table.add_row(
            step["agent"],
            f"{step['share']:.1%}",
            *spelled(step["right"]),
            spelled(step["net_alone"])[0],
            f"{step['seconds'] * 1e3:.1f}",
            f"{step['usd_per_1000']:.2g}",
        )
    table.add_row(
        "all",
        "100.0%",
        *spelled(row["routed"]),
        spelled(row["net_alone"])[0],
        f"{row['seconds_each'] * 1e3:.1f}",
        f"{row['usd_per_1000']:.2g}",
        style="bold",
    )
    return table


def _player(
    llm: Mapping[str, Any] | None, *, answer: str, unit: str, played: str = ""
) -> list[str]:
    """Return what the LLM was worth, ``unit`` being what it was asked about."""
    if llm is None:
        return ["  the LLM was not asked: no answers of it are recorded for this game"]
    if llm["model"] is None:
        return [f"  the LLM named no {answer} on any of {llm['n']} {unit}"]
    asked, searched = spelled(llm["right"]), spelled(llm["searched"])
    unreadable = f", {llm['unreadable']} without a {answer}" if llm["unreadable"] else ""
    return [
        f"  {llm['model']}{played} on {llm['n']} of them{unreadable}: {asked[0]} right "
        f"({asked[1]}), {llm['seconds']:.2f} s and {llm['usd_per_1000']:.2g} USD per 1,000; "
        f"without it on the same ones: {searched[0]} ({searched[1]})",
        "  " + verdict_sentence(llm["verdict"]),
        *_afterwards(llm, unit),
    ]


def _afterwards(llm: Mapping[str, Any], unit: str) -> list[str]:
    if not llm["n_after"]:
        return []
    return [f"  on the next {llm['n_after']} {unit} it was asked in {llm['share_after']:.1%}"]
