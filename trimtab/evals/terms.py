"""A certificate as its file states it, applied to requests drawn uniformly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.issued import Issued
from trimtab.errors import InputError
from trimtab.evals.items import LLM
from trimtab.evals.pairs import Pair

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def read_issued(plain: Mapping[str, Any], *, domain: str) -> Issued:
    """Return what a certificate's file says.

    Raises:
        InputError: it is of another schema or domain, or a part is missing.
    """
    issued = Issued.from_json(plain)
    if issued.domain != domain:
        raise InputError(
            f"the certificate of domain {issued.domain!r} was given for {domain!r}; give each "
            "domain its own"
        )
    return issued


def measured_gains(pairs: Sequence[Pair], issued: Issued | None) -> Floats:
    """Return `[n]` what asking gains; against agreement, the LLM is taken to be right."""
    if issued is not None and issued.certificate.against.startswith("agreement"):
        return np.array([float(pair.differs) for pair in pairs])
    return np.array([pair.gain for pair in pairs])


def shown_cheap(pairs: Sequence[Pair], issued: Issued) -> Bools:
    """Return `[n]` whether the certificate's rule shows the small models' answer."""
    rule = issued.rule()
    routes = [rule.route([pair.cheap, pair.llm]) for pair in pairs]
    return np.array([route.agent != LLM for route in routes], dtype=np.bool_)
