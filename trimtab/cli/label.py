"""The command ``label``: say which answer is right, one key each, only where that must be known.

Who gave which answer is not shown, and their order is drawn, so that neither is favoured. Every
label is in the ledger before the next request is shown: stop at any time, go on by calling again.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import typer

from trimtab.cli.output import console, emit

if TYPE_CHECKING:
    from trimtab.domains.choices import Choices
    from trimtab.evals.items import Row, Words
    from trimtab.evals.pairs import Pair
    from trimtab.ledger import SqliteLedger
    from trimtab.release.bundle import LoadedBundle

SCHEMA = "trimtab.label/1"
HELP = "1 or 2: that one is right   o: another label   n: neither   s: skip   q: quit"
Verdict = Literal["skip", "quit"]


class Keyboard(Protocol):
    """Where keys and typed labels come from; the end of input reads as ``q`` and as ``""``."""

    def key(self) -> str:
        """Return the next key, lower case."""
        ...

    def words(self) -> str:
        """Return a typed line without outer spaces."""
        ...


class Terminal:
    """Single keys of a terminal, without Enter."""

    def key(self) -> str:
        """Return the next key, lower case."""
        try:
            return typer.getchar().lower()
        except EOFError:
            return "q"

    def words(self) -> str:
        """Return a typed line without outer spaces."""
        console.print("label: ", end="")
        return sys.stdin.readline().strip()


class Lines:
    """One line a key, for input that is piped in."""

    def key(self) -> str:
        """Return the first character of the next line, lower case."""
        line = sys.stdin.readline()
        return line.strip()[:1].lower() if line else "q"

    def words(self) -> str:
        """Return the next line without outer spaces."""
        return sys.stdin.readline().strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A pair as a person sees it: its answers in words, in a drawn order."""

    pair: Pair
    answers: tuple[str, str]


class Vocabulary:
    """The labels that may be typed: the domain's where it is known, else those seen in rows."""

    def __init__(self, rows: Iterable[Row], domain: Choices | None) -> None:
        from trimtab.domains.choices import normalise
        from trimtab.evals.items import NEITHER
        from trimtab.ledger import REDACTED

        self._domain = domain
        self._seen: dict[str, str] = {}
        for decision, outcome in rows:
            actions = [p.action for p in decision.predictions if isinstance(p.action, str)]
            references = [outcome.reference] if outcome and outcome.reference else []
            for words in (decision.answer, *actions, *references):
                if words not in (NEITHER, REDACTED):
                    self._seen.setdefault(normalise(words), words)

    def canonical(self, typed: str) -> str:
        """Return the canonical words of a typed label.

        Raises:
            InputError: there is no such label.
        """
        from trimtab.domains.choices import normalise
        from trimtab.errors import InputError

        if self._domain is not None:
            return self._domain.canonical(typed)
        if normalise(typed) not in self._seen:
            raise InputError(
                f"{typed!r} is no answer that the ledger has seen; type one of "
                f"{sorted(self._seen.values())}, or give the domain with --bundle"
            )
        return self._seen[normalise(typed)]


def label(
    domain: Annotated[str, typer.Option(help="Domain whose requests are labelled.")],
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger file; the settings' own if not given.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Show at most this many requests.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle that knows the domain's labels.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line.")
    ] = False,
) -> None:
    """Label the requests on which the LLM and the small models differ, as a promise needs."""
    from trimtab.errors import InputError
    from trimtab.evals.items import Words
    from trimtab.evals.pairs import uniform_pairs
    from trimtab.ledger import SqliteLedger
    from trimtab.settings import load_settings

    path = ledger or load_settings().ledger
    with SqliteLedger(path, create=False) as opened:
        rows = list(opened.scan(domain=domain))
        if not rows:
            raise InputError(f"domain={domain!r} has no decisions in {path}; give one that has")
        bundle_id = rows[-1][0].bundle_id
        loaded = _bundle(domain, bundle_id, bundle)
        known = None if loaded is None else _choices(loaded)
        if loaded is not None:
            bundle_id = loaded.bundle.bundle_id
        canonical = None if known is None else known.canonical
        pairs = uniform_pairs(rows, canonical=canonical, bundle_id=bundle_id)
        missing = [pair for pair in pairs if pair.needs_label]
        questions = _questions(missing, Words(rows, canonical))
        keyboard = Terminal() if sys.stdin.isatty() else Lines()
        labelled, skipped = _ask(
            questions[:limit], opened, Vocabulary(rows, known), keyboard, of=len(questions)
        )
    left = len(missing) - labelled
    if as_json:
        emit({"labelled": labelled, "skipped": skipped, "left": left}, schema=SCHEMA)
    else:
        console.print(f"{labelled} labelled, {skipped} skipped, {left} left")


def _bundle(domain: str, bundle_id: str, given: Path | None) -> LoadedBundle | None:
    """Return the bundle given, or the shipped one where it made the newest decision."""
    from trimtab.errors import BundleError
    from trimtab.release.bundle import load, load_shipped

    if given is not None:
        return load(given, domain=domain)
    try:
        shipped = load_shipped(domain)
    except BundleError:  # nothing of that name is shipped: the ledger's own words must do
        return None
    return shipped if shipped.bundle.bundle_id == bundle_id else None


def _choices(bundle: LoadedBundle) -> Choices:
    from trimtab.domains.choices import Choices

    return Choices.from_json(bundle.spec["domain"])


def _questions(pairs: Sequence[Pair], words: Words) -> list[Question]:
    """Return what can be asked, oldest first; an answer whose words are unknown cannot be shown."""
    found = []
    for pair in pairs:
        first, second = (words.spell(p.action) for p in (pair.cheap, pair.llm))
        if first is None or second is None:
            continue
        # drawn by the id, so that a request looks the same whenever it is asked about
        turned = hashlib.sha256(f"label\0{pair.decision.decision_id}".encode()).digest()[0] & 1
        found.append(Question(pair=pair, answers=(second, first) if turned else (first, second)))
    if len(found) < len(pairs):
        console.print(
            f"{len(pairs) - len(found)} requests cannot be shown: no row tells what one of their "
            "answers is called; give the domain with --bundle"
        )
    return found


def _ask(
    questions: Sequence[Question],
    ledger: SqliteLedger,
    vocabulary: Vocabulary,
    keyboard: Keyboard,
    *,
    of: int,
) -> tuple[int, int]:
    """Ask about each request until there are none or a person quits; return labelled, skipped."""
    from trimtab.records import Outcome

    labelled = skipped = 0
    if questions:
        console.print(HELP, style="dim")
    for number, question in enumerate(questions, start=1):
        _show(question, number, of)
        right = _verdict(question, vocabulary, keyboard)
        if right == "quit":
            break
        if right == "skip":
            skipped += 1
            continue
        decision = question.pair.decision
        outcome = Outcome(
            decision_id=decision.decision_id,
            reward=1.0 if right[0] == decision.answer else 0.0,
            source="user",
            reference=right[0],
        )
        ledger.resolve(outcome).result()
        labelled += 1
    return labelled, skipped


def _show(question: Question, number: int, of: int) -> None:
    console.print(f"\n{number} of {of}", style="dim")
    console.print(_printable(question.pair.decision.state), markup=False)
    for key, words in enumerate(question.answers, start=1):
        console.print(f"  {key}  {_printable(words)}", markup=False)


def _verdict(
    question: Question, vocabulary: Vocabulary, keyboard: Keyboard
) -> Verdict | tuple[str]:
    """Return the right answer in words, in a tuple of one, or what to do instead."""
    from trimtab.errors import InputError
    from trimtab.evals.items import NEITHER

    while True:
        key = keyboard.key()
        if key in ("1", "2"):
            return (question.answers[int(key) - 1],)
        if key == "n":
            return (NEITHER,)
        if key in ("s", "q"):
            return "skip" if key == "s" else "quit"
        if key != "o":
            console.print(HELP, style="dim")
            continue
        try:
            return (vocabulary.canonical(keyboard.words()),)
        except InputError as error:
            console.print(str(error), markup=False)
            console.print(HELP, style="dim")


def _printable(text: str) -> str:
    """Return a text that cannot steer the terminal it is shown on."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
