"""An issued certificate: what a file keeps, and what routing and reports read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trimtab.agents.gain import GainModel
from trimtab.agents.promise import Certificate
from trimtab.agents.routing import PromiseRule
from trimtab.errors import InputError

SCHEMA = "trimtab.certificate/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate with all that is needed to apply it.

    Attributes:
        domain: what it holds for.
        bundle_id: the weights it holds for.
        llm: the LLM that it was measured against, as its predictions' tier names it.
        certificate: what was shown.
        gain: the model that scores answers; their confidence does if None.
        first, last: when the window's requests were decided.
        attempt: the number of the window among those of this bundle, from 1.
        window: requests that a full window bets on.
        unlabelled: requests without the label they need, counted as losses.
        asked: confidence that was asked for; the attempt's own is higher.
    """

    domain: str
    bundle_id: str
    llm: str
    certificate: Certificate
    gain: GainModel | None
    first: datetime
    last: datetime
    attempt: int
    asked: float
    window: int
    unlabelled: int

    def rule(self, *, audit_rate: float = 0.0) -> PromiseRule:
        """Return the routing rule that applies the certificate."""
        return PromiseRule(certificate=self.certificate, gain=self.gain, audit_rate=audit_rate)

    def verdict(self) -> dict[str, Any]:
        """Return the certificate's fields, what was asked for, and the labels that are missing."""
        own = {"asked": self.asked, "unlabelled": self.unlabelled}
        return own | self.certificate.to_json()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "schema": SCHEMA,
            "domain": self.domain,
            "bundle_id": self.bundle_id,
            "llm": self.llm,
            "certificate": self.certificate.to_json(),
            "gain": None if self.gain is None else self.gain.to_json(),
            "window": {
                "first": self.first.isoformat(),
                "last": self.last.isoformat(),
                "n": self.certificate.n,
                "planned": self.window,
                "unlabelled": self.unlabelled,
            },
            "attempt": self.attempt,
            "asked": self.asked,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Issued:
        """Return what :meth:`to_json` wrote; raises ``InputError`` for anything else."""
        if plain.get("schema") != SCHEMA:
            raise InputError(
                f"schema={plain.get('schema')!r} is not {SCHEMA!r}; give a file that "
                "trimtab certify wrote"
            )
        try:
            return cls(
                domain=plain["domain"],
                bundle_id=plain["bundle_id"],
                llm=plain["llm"],
                certificate=Certificate.from_json(plain["certificate"]),
                gain=None if plain["gain"] is None else GainModel.from_json(plain["gain"]),
                first=datetime.fromisoformat(plain["window"]["first"]),
                last=datetime.fromisoformat(plain["window"]["last"]),
                attempt=int(plain["attempt"]),
                asked=float(plain["asked"]),
                window=int(plain["window"]["planned"]),
                unlabelled=int(plain["window"]["unlabelled"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not a certificate ({error!r}); certify again") from error
