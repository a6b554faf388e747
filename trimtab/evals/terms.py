"""A certificate as its file states it, applied to requests drawn uniformly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.gain import GainModel
from trimtab.agents.promise import Certificate
from trimtab.agents.routing import PromiseRule
from trimtab.errors import InputError
from trimtab.evals.items import LLM
from trimtab.evals.pairs import Pair

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CERTIFICATE_SCHEMA = "trimtab.certificate/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A certificate as its file states it, with what is needed to apply it.

    ``asked`` is the confidence that a person asked for; that of the certificate is higher where
    several attempts share the allowed error.
    """

    bundle_id: str
    certificate: Certificate
    gain: GainModel | None
    first: datetime
    last: datetime
    asked: float

    @property
    def rule(self) -> PromiseRule:
        """Return the rule that routes by the certificate."""
        return PromiseRule(certificate=self.certificate, gain=self.gain)


def read_terms(plain: Mapping[str, Any], *, domain: str) -> Terms:
    """Return what a certificate's file says.

    Raises:
        InputError: it is of another schema or domain, or a part is missing.
    """
    if plain.get("schema") != CERTIFICATE_SCHEMA:
        raise InputError(
            f"schema={plain.get('schema')!r} is not {CERTIFICATE_SCHEMA!r}; give a file that "
            "trimtab certify wrote"
        )
    if plain.get("domain") != domain:
        raise InputError(
            f"the certificate of domain {plain.get('domain')!r} was given for {domain!r}; give "
            "each domain its own"
        )
    try:
        certificate = Certificate.from_json(plain["certificate"])
        return Terms(
            bundle_id=str(plain["bundle_id"]),
            certificate=certificate,
            gain=None if plain["gain"] is None else GainModel.from_json(plain["gain"]),
            first=datetime.fromisoformat(plain["window"]["first"]),
            last=datetime.fromisoformat(plain["window"]["last"]),
            asked=float(plain.get("asked", certificate.confidence)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"not a certificate ({error!r}); certify again") from error


def measured_gains(pairs: Sequence[Pair], terms: Terms | None) -> Floats:
    """Return `[n]` what asking gains; against agreement, the LLM is taken to be right."""
    if terms is not None and terms.certificate.against.startswith("agreement"):
        return np.array([float(pair.differs) for pair in pairs])
    return np.array([pair.gain for pair in pairs])


def shown_cheap(pairs: Sequence[Pair], terms: Terms) -> Bools:
    """Return `[n]` whether the certificate's rule shows the small models' answer."""
    routes = [terms.rule.route([pair.cheap, pair.llm]) for pair in pairs]
    return np.array([route.agent != LLM for route in routes], dtype=np.bool_)
