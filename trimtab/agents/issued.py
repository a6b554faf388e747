"""An issued certificate: what a file keeps, and what routing and reports read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from trimtab.agents.gain import GainModel
from trimtab.agents.promise import Certificate
from trimtab.agents.routing import PromiseRule
from trimtab.errors import InputError
from trimtab.release.drift import Alarm, Predicted

SCHEMA = "trimtab.certificate/1"
CONTROLLER = "controller"
"""Name of a domain's fitted controller among the candidates of a window."""

Taker = Alarm | Literal["a person"]
"""Who takes a certificate back."""
TAKERS: tuple[Taker, ...] = ("A1", "A2", "A3", "a person")


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """An alarm, or a person, that took a certificate back.

    Attributes:
        alarm: which one sounded, or ``a person``.
        at: when; only requests decided later may certify again.
        window: the number of the window whose certificate it took.
        looked: the number of the last window that had been looked at; the next is one more.
    """

    alarm: Taker
    at: datetime
    window: int
    looked: int


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
        predicted: how sure the small models were of the window's requests; None in files of
            versions without alarms.
        withdrawals: the alarms of this bundle and LLM so far, oldest first.
        looked: the number of the last window that was looked at, which may be one still filling.
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
    predicted: Predicted | None = None
    withdrawals: tuple[Withdrawal, ...] = ()
    looked: int = field(default=0, compare=False)

    @property
    def is_controller(self) -> bool:
        """Return whether it is of the domain's fitted controller, which chooses every step."""
        return self.certificate.candidate == CONTROLLER

    @property
    def withdrawn(self) -> Withdrawal | None:
        """Return the alarm that took this certificate back, None while it is in force."""
        last = self.withdrawals[-1] if self.withdrawals else None
        return last if last is not None and last.window == self.attempt else None

    def withdraw(self, alarm: Taker, *, at: datetime) -> Issued:
        """Return it taken back."""
        taken = Withdrawal(
            alarm=alarm, at=at, window=self.attempt, looked=max(self.looked, self.attempt)
        )
        return replace(self, withdrawals=(*self.withdrawals, taken))

    def rule(self, *, audit_rate: float = 0.0) -> PromiseRule:
        """Return the routing rule that applies the certificate; always the LLM once withdrawn."""
        in_force = None if self.withdrawn else self.certificate
        return PromiseRule(certificate=in_force, gain=self.gain, audit_rate=audit_rate)

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
            "predicted": None if self.predicted is None else asdict(self.predicted),
            "withdrawals": [
                {**asdict(taken), "at": taken.at.isoformat()} for taken in self.withdrawals
            ],
            "looked": self.looked,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Issued:
        """Return what :meth:`to_json` wrote; raises ``InputError`` for anything else."""
        schema = plain.get("schema") if isinstance(plain, Mapping) else None
        if schema != SCHEMA:
            raise InputError(
                f"schema={schema!r} is not {SCHEMA!r}; give a file that trimtab certify wrote"
            )
        attempt = plain.get("attempt")
        if not isinstance(attempt, int) or attempt < 1:
            raise InputError(f"attempt={attempt!r} is no number of a window; certify again")
        try:
            return cls(
                domain=plain["domain"],
                bundle_id=plain["bundle_id"],
                llm=plain["llm"],
                certificate=Certificate.from_json(plain["certificate"]),
                gain=None if plain["gain"] is None else GainModel.from_json(plain["gain"]),
                first=datetime.fromisoformat(plain["window"]["first"]),
                last=datetime.fromisoformat(plain["window"]["last"]),
                attempt=attempt,
                asked=float(plain["asked"]),
                window=int(plain["window"]["planned"]),
                unlabelled=int(plain["window"]["unlabelled"]),
                predicted=Predicted(**plain["predicted"]) if plain.get("predicted") else None,
                withdrawals=tuple(
                    Withdrawal(
                        alarm=taken["alarm"],
                        at=datetime.fromisoformat(taken["at"]),
                        window=int(taken["window"]),
                        looked=int(taken["looked"]),
                    )
                    for taken in plain.get("withdrawals", ())
                ),
                looked=int(plain.get("looked", attempt)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not a certificate ({error!r}); certify again") from error
