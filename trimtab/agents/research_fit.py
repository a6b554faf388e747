"""What the research agent has fitted: three probabilities, their thresholds and the recipe.

``trimtab train research`` writes the file from labelled questions and citations.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from trimtab.errors import BundleError, ConfigError

SCHEMA = "trimtab.research-fit/1"
REFIT = "run: trimtab train research"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """A logistic regression over named, standardised features.

    Attributes:
        names: of the features, in order.
        mean, scale: `[F]`, of the rows it was fitted on.
        weights: `[F]`, for standardised values.
        bias: added to their sum.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def __post_init__(self) -> None:
        lengths = {len(self.names), len(self.mean), len(self.scale), len(self.weights)}
        if len(lengths) != 1 or min(self.scale, default=1.0) <= 0.0:
            raise ConfigError(f"a logistic of {self.names} has parts of unequal length; {REFIT}")

    def probability(self, row: Sequence[float]) -> float:
        """Return the probability for one row of features `[F]`."""
        parts = zip(row, self.mean, self.scale, self.weights, strict=True)
        z = self.bias + sum(w * (x - m) / s for x, m, s, w in parts)
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, z))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """All that is fitted.

    Attributes:
        support: that a sentence supports a claim.
        support_threshold: from which it counts as support.
        answerable: that the corpus answers a question.
        answerable_threshold: below which "the corpus does not say" is the cheap answer.
        silence_threshold: below which it is so sure that no LLM need be asked.
        right: that the cheap answer is the right one.
        accept_threshold: from which it is shown although an LLM could be asked.
        embedder: whose cosines went in.
        recipe: command, data with their hashes, numbers of rows and figures.
    """

    support: Logistic
    support_threshold: float
    answerable: Logistic
    answerable_threshold: float
    silence_threshold: float
    right: Logistic
    accept_threshold: float
    embedder: str
    recipe: Mapping[str, Any] = field(default_factory=dict)


def fitted_to_json(fitted: Fitted) -> dict[str, Any]:
    """Return what is fitted as plain JSON."""
    return {"schema": SCHEMA, **asdict(fitted)}


def load_fitted(path: Path | None = None) -> Fitted:
    """Return what a file holds; that of trimtab if None.

    Raises:
        BundleError: it is absent, or of another form.
    """
    place = path or Path(str(resources.files("trimtab") / "shipped" / "research" / "fitted.json"))
    try:
        plain = json.loads(place.read_text("utf-8"))
        if plain.pop("schema") != SCHEMA:
            raise BundleError(f"{place} is not of schema {SCHEMA}; {REFIT}")
        for name in ("support", "answerable", "right"):
            rows: dict[str, Any] = {
                key: tuple(v) if isinstance(v, list) else v for key, v in plain[name].items()
            }
            plain[name] = Logistic(**rows)
        return Fitted(**plain)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{place} cannot be read ({error}); {REFIT}") from error
