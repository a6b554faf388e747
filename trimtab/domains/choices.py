"""Text to one of a fixed set of labels: a state is an utterance, one action answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from trimtab.domains.evidence import evidence_features
from trimtab.domains.texts import MAX_TEXT_CHARS, listed, normalise, short, text_problem
from trimtab.errors import IllegalAction, InputError, TruthUnknown
from trimtab.protocols import Array

__all__ = ["ChoiceState", "Choices", "normalise"]

# Unit separator: stands between text and label in the text form of an answered state. A control
# character, so that no printable request can be read as answered.
_ANSWERED = "\x1f"
_MAX_LABEL_CHARS = 200


@dataclass(frozen=True, slots=True)
class ChoiceState:
    """A request, and the index of the label that answered it (None while it is open)."""

    text: str
    choice: int | None = None


class Choices:
    """A domain whose states are texts and whose actions are labels; one action ends it.

    Truth is known for the texts in ``references`` and for any text that differs from one of them
    only in case, width or whitespace. Where references contradict each other, truth is unknown.

    Example:
        >>> desk = Choices(name="desk", labels=["refund", "other"], references={"pay me": "refund"})
        >>> desk.check(desk.from_text("Pay  me"), "Refund")
        1.0

    Args:
        name: the domain's name.
        labels: at least two, in the order of the actions, distinct even without case.
        descriptions: one sentence for a label, for those that have one.
        out_of_scope: the label that stands for "none of the others", if there is one.
        references: text -> label, where the right answer is known.

    Raises:
        InputError: one of them cannot be used; the message names field, value and remedy.
    """

    MAX_TEXT_CHARS: ClassVar[int] = MAX_TEXT_CHARS

    def __init__(
        self,
        *,
        name: str,
        labels: Sequence[str],
        descriptions: Mapping[str, str] | None = None,
        out_of_scope: str | None = None,
        references: Mapping[str, str] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise InputError(f"name={short(name)} is not a name; give one printable line")
        self.name = name
        self.labels: tuple[str, ...] = _checked_labels(labels)
        self._index = {label: action for action, label in enumerate(self.labels)}
        self._folded = {label.casefold(): action for action, label in enumerate(self.labels)}
        self.descriptions: Mapping[str, str] = self._checked_descriptions(descriptions or {})
        if out_of_scope is not None and out_of_scope not in self._index:
            raise InputError(
                f"out_of_scope={short(out_of_scope)} is not one of the labels; add it to labels, "
                f"or use one of {listed(self.labels)}"
            )
        self.out_of_scope = out_of_scope
        self.instructions = self._instructions()
        self._texts: tuple[str, ...] = tuple(references or {})
        self._truth = self._checked_references(references or {})

    @property
    def num_actions(self) -> int:
        """Return the number of labels; action i answers with ``labels[i]``."""
        return len(self.labels)

    def initial_state(self, seed: int) -> ChoiceState:
        """Return one of the reference texts, drawn uniformly by the seed.

        Raises:
            InputError: there is no reference text to draw from.
        """
        if not self._texts:
            raise InputError(
                f"domain {self.name!r} has no reference texts to draw a state from; give "
                f"references, or make the state with from_text"
            )
        draw = int(np.random.default_rng(seed).integers(len(self._texts)))
        return ChoiceState(self._texts[draw])

    def legal_actions(self, state: ChoiceState) -> Sequence[int]:
        """Return every label's index for an open state, none for an answered one."""
        return range(len(self.labels)) if state.choice is None else ()

    def apply_action(self, state: ChoiceState, action: int) -> ChoiceState:
        """Return the state answered with a label.

        Raises:
            IllegalAction: the state is answered already, or there is no such action.
        """
        if state.choice is not None:
            raise IllegalAction(
                f"the state is answered already, with {self.labels[state.choice]!r}; legal: []"
            )
        if isinstance(action, str):
            raise IllegalAction(f"action {short(action)} is no index; legal: {self._legal()}")
        return replace(state, choice=self.index(action))

    def is_terminal(self, state: ChoiceState) -> bool:
        """Return whether the state is answered."""
        return state.choice is not None

    def returns(self, state: ChoiceState) -> tuple[float, ...]:
        """Return 1 for a right answer and -1 for a wrong one.

        Raises:
            InputError: the state is not answered yet.
            TruthUnknown: the right answer is not known.
        """
        if state.choice is None:
            raise InputError("the state is not answered yet; apply an action first")
        return (2.0 * self.check(state, state.choice) - 1.0,)

    def observation(self, state: ChoiceState) -> Array:
        """Return `[len(FEATURES)]` what the exact parsers of ``domains.evidence`` find."""
        return evidence_features(state.text)

    def to_text(self, state: ChoiceState) -> str:
        """Return the text; of an answered state also the label, behind a unit separator."""
        if state.choice is None:
            return state.text
        return f"{state.text}{_ANSWERED}{self.labels[state.choice]}"

    def from_text(self, text: str) -> ChoiceState:
        """Return the state of a text; the text itself is kept as it is.

        Raises:
            InputError: empty, longer than ``MAX_TEXT_CHARS``, or not storable as UTF-8.
        """
        problem = text_problem(text)
        if problem is not None:
            raise InputError(f"text {problem}")
        request, separator, label = text.rpartition(_ANSWERED)
        if not separator:
            return ChoiceState(text)
        problem = text_problem(request)
        if problem is not None or _ANSWERED in request or label not in self._index:
            raise InputError(
                "text holds the control character U+001F, which only stands before the label of "
                "an answered state; remove it"
            )
        return ChoiceState(request, self._index[label])

    def index(self, answer: int | str) -> int:
        """Return the action of an answer: its index, or its label in any case.

        Raises:
            IllegalAction: there is no such index or label; the message lists the labels.
        """
        if isinstance(answer, str):
            action = self._index.get(answer)
            if action is None:
                action = self._folded.get(answer.casefold())
            if action is None:
                raise IllegalAction(f"answer {short(answer)} is no label; legal: {self._legal()}")
            return action
        whole = isinstance(answer, int | np.integer) and not isinstance(answer, bool)
        if not whole or not 0 <= answer < len(self.labels):
            raise IllegalAction(f"action {short(answer)} is no index; legal: {self._legal()}")
        return int(answer)

    def canonical(self, answer: int | str) -> str:
        """Return the label of an answer as it stands in ``labels``; raises ``IllegalAction``."""
        return self.labels[self.index(answer)]

    def check(self, state: ChoiceState, answer: int | str) -> float:
        """Return 1 if the answer is the reference's label, else 0.

        Raises:
            IllegalAction: the answer is no label.
            TruthUnknown: no reference holds this text, or references contradict each other.
        """
        action = self.index(answer)
        key = normalise(state.text)
        if key not in self._truth:
            raise TruthUnknown(f"domain {self.name!r} has no reference for {short(state.text)}")
        truth = self._truth[key]
        if truth is None:
            raise TruthUnknown(f"the references of {short(state.text)} contradict each other")
        return 1.0 if truth == action else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return what a bundle keeps of the domain: all but the references."""
        return {
            "name": self.name,
            "labels": list(self.labels),
            "descriptions": dict(self.descriptions),
            "out_of_scope": self.out_of_scope,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Choices:
        """Return the domain that :meth:`to_json` wrote.

        Raises:
            InputError: a field is missing or cannot be used.
        """
        missing = [
            key for key in ("name", "labels", "descriptions", "out_of_scope") if key not in plain
        ]
        if missing:
            raise InputError(f"the domain's JSON lacks {missing}; write it with Choices.to_json")
        return cls(
            name=plain["name"],
            labels=plain["labels"],
            descriptions=plain["descriptions"],
            out_of_scope=plain["out_of_scope"],
        )

    def __repr__(self) -> str:
        return f"Choices(name={self.name!r}, labels={len(self.labels)})"

    def _legal(self) -> str:
        return f"0..{len(self.labels) - 1}, or one of {listed(self.labels)}"

    def _instructions(self) -> str:
        lines = ["Choose the one label that fits the request.", "Labels:"]
        for label in self.labels:
            description = self.descriptions.get(label)
            lines.append(f"- {label}: {description}" if description else f"- {label}")
        if self.out_of_scope is not None:
            lines.append(f"Choose {self.out_of_scope} where no other label fits.")
        return "\n".join(lines)

    def _checked_descriptions(self, descriptions: Mapping[str, str]) -> dict[str, str]:
        for label, description in descriptions.items():
            if label not in self._index:
                raise InputError(
                    f"descriptions holds {short(label)}, which is not a label; remove it, or use "
                    f"one of {listed(self.labels)}"
                )
            if not isinstance(description, str):
                raise InputError(f"descriptions[{label!r}]={short(description)} is not a text")
        return {label: descriptions[label] for label in self.labels if label in descriptions}

    def _checked_references(self, references: Mapping[str, str]) -> dict[str, int | None]:
        truth: dict[str, int | None] = {}
        for text, label in references.items():
            problem = text_problem(text)
            if problem is None and _ANSWERED in text:
                problem = "holds the control character U+001F; remove it"
            if problem is not None:
                raise InputError(f"references: text {problem}")
            if label not in self._index:
                raise InputError(
                    f"references: label {short(label)} of {short(text)} is not a label; use one "
                    f"of {listed(self.labels)}"
                )
            key, action = normalise(text), self._index[label]
            truth[key] = action if truth.get(key, action) == action else None
        return truth


def _checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    if isinstance(labels, str):
        raise InputError(f"labels={short(labels)} is one text; give a list of labels")
    seen: dict[str, str] = {}
    for position, label in enumerate(labels):
        if not isinstance(label, str):
            raise InputError(f"labels[{position}]={short(label)} is not a str; write it as text")
        if not label.strip():
            raise InputError(f"labels[{position}] is empty; give it a name or remove it")
        if label != label.strip() or not label.isprintable() or len(label) > _MAX_LABEL_CHARS:
            raise InputError(
                f"labels[{position}]={short(label)} cannot be a label; use at most "
                f"{_MAX_LABEL_CHARS} printable characters on one line, without outer spaces"
            )
        twin = seen.setdefault(label.casefold(), label)
        if len(seen) != position + 1:
            raise InputError(
                f"labels holds {label!r} at {position} beside {twin!r}; labels must differ in more "
                f"than case, so rename or merge them"
            )
    if len(seen) < 2:
        raise InputError(f"labels={list(labels)!r} leaves nothing to choose; give at least two")
    return tuple(labels)
