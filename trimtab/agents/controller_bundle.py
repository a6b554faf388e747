"""Fitted controllers as bundles: a pool of candidates, and what is certified of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.agents.candidate_json import pool_from_json, pool_to_json
from trimtab.agents.cascades import Candidate
from trimtab.agents.promise import Certificate
from trimtab.errors import BundleError, ConfigError, InputError
from trimtab.records import Bundle
from trimtab.release.bundle import LoadedBundle, load, pack

KIND = "controller/1"
FILE = "controller.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedPool:
    """What a table of recorded answers taught.

    Attributes:
        domain: name of the table.
        candidates: dear to cheap, the strong step alone first.
        certificate: of the candidates after the first, on questions that fitted none of them.
        used: ids of the questions that fitted or certified: none of them tells anything new.
    """

    domain: str
    candidates: tuple[Candidate, ...]
    certificate: Certificate
    used: frozenset[str]

    @property
    def certified(self) -> Candidate | None:
        """Return the certified candidate, None where there is none."""
        return next((c for c in self.candidates if c.name == self.certificate.candidate), None)

    @property
    def verdict(self) -> str:
        """Return in words what is certified, or that nothing is saved and which model answers."""
        strong, seen = self.candidates[0].strong, self.certificate
        if self.certified is not None:
            return (
                f"certified on {seen.n} questions: {seen.candidate}; at most {seen.loss * 100:g} "
                f"points below always asking {strong}, with {seen.confidence:.0%} confidence"
            )
        why = "no candidate costs less"
        if len(self.candidates) > 1:
            why = (
                f"on {seen.n} questions the bet against a loss of {seen.loss * 100:g} points grew "
                f"to {seen.wealth:.3g} of the {seen.needed:.3g} needed"
            )
        return f"no saving: {strong} always answers, because {why}"

    def numbered(self, number: int) -> Candidate:
        """Return the candidate at a place of the pool, 0 for the dearest.

        Raises:
            ConfigError: the pool has no such place.
        """
        if not 0 <= number < len(self.candidates):
            raise ConfigError(
                f"candidate={number} is none of the pool's; use 0 to {len(self.candidates) - 1}"
            )
        return self.candidates[number]


def pack_controller(
    fitted: FittedPool,
    folder: Path,
    *,
    metrics: Mapping[str, float],
    made_from: Mapping[str, Any],
) -> Bundle:
    """Return the bundle of a fitted pool, written to ``folder``.

    Args:
        fitted: the pool.
        folder: as :func:`trimtab.release.bundle.pack`.
        metrics: finite figures, by name.
        made_from: plain JSON for the spec: how to make it again.

    Raises:
        BundleError: the folder cannot be used.
    """
    plain = {
        "pool": pool_to_json(fitted.candidates),
        "certificate": fitted.certificate.to_json(),
        "used": sorted(fitted.used),
    }
    return pack(
        folder,
        domain=fitted.domain,
        files={FILE: json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()},
        thresholds={},
        metrics=metrics,
        card=_card(fitted, metrics),
        spec={"kind": KIND, **made_from},
    )


def load_controller(folder: Path) -> tuple[FittedPool, LoadedBundle]:
    """Return the pool of a bundle, and the bundle.

    Raises:
        BundleError: the folder holds no such bundle, or what it holds cannot be read.
    """
    bundle = load(folder)
    kind = bundle.spec.get("kind")
    if kind != KIND:
        raise BundleError(
            f"{folder}: kind={kind!r} is not {KIND!r}; give what trimtab train controller wrote"
        )
    try:
        plain = json.loads(bundle.read(FILE))
        fitted = FittedPool(
            domain=bundle.bundle.domain,
            candidates=pool_from_json(plain["pool"]),
            certificate=Certificate.from_json(plain["certificate"]),
            used=frozenset(plain["used"]),
        )
    except (InputError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{folder / FILE} cannot be read ({error}); train it again") from error
    return fitted, bundle


def _card(fitted: FittedPool, metrics: Mapping[str, float]) -> str:
    figures = [f"- {name}: {value:.4g}" for name, value in metrics.items()]
    return "\n".join(
        [
            f"# Controller of {fitted.domain}",
            "",
            f"Chooses among {', '.join(fitted.candidates[0].judge.names)}; the promise is measured "
            f"against {fitted.candidates[0].strong}.",
            "",
            *figures,
            "",
            "Candidates, dear to cheap:",
            "",
            *_names(fitted.candidates),
            "",
        ]
    )


def _names(candidates: Sequence[Candidate]) -> list[str]:
    return [f"{place}. {one.name}" for place, one in enumerate(candidates)]
