"""Alarms that the world has moved under a certificate: A1, A2 and A3.

- **A1**, free, on all traffic: the predicted probability that the shown answer is right has fallen
  below what it was in the certificate's window, by more than a tolerance. It sees a change of the
  requests, and of anything that shows in how models agree.
- **A2**, on audits: the paired net loss against the LLM has risen above the promise. Audits are
  drawn uniformly; after a loss more are drawn, at a rate that depends on the past alone. Where the
  window's gains are known (the LLM wrong, the shown answer right), half of the capital bets on
  losses alone, against the promise and those gains: without the gains' swings it bets higher.
- **A3**, on canaries: questions with known answers that the LLM used to get right are asked again;
  the LLM itself has become worse.

Each is a betting CUSUM (:mod:`trimtab.stats.cusum`), so the probability of a false alarm is bounded
whatever the values look like. A1 is blind where the prediction never varies; `Alarms` then audits
more.

Nothing here locks: whoever owns `Alarms` lets one thread at a time in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from trimtab.errors import ConfigError, InputError
from trimtab.stats.cusum import BET_SHARES, CusumRule, level_for

Alarm = Literal["A1", "A2", "A3"]
_Rule = Literal["A1", "A2", "A3", "A2 losses"]

LOWEST_SPREAD = 0.02
"""Standard deviation of predictions below which A1 sees nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPlan:
    """How drift is watched.

    Attributes:
        loss: the promised net loss, A2's bound.
        false_alarms: probability of any false alarm within ``per`` requests.
        per: requests.
        tolerance: fall of the predicted quality that is no reason for an alarm.
        errors: standard errors of the window's mean that A1 allows beside the tolerance.
        audit_rate: share of requests that is audited while nothing is suspected.
        suspicious_rate: the share while A2 is suspected; 1 is right where a drift that A1 cannot
            see must not cost long, and costs little before: some 20 audits for each lost one.
        blind_rate: the share where A1 is blind.
        canary_rate: canaries per request while nothing is suspected.
        suspicious_canaries: the rate once a canary was answered wrongly.
        canary_errors: share of canaries that a sound LLM may get wrong beyond what it did.
        suspicion: capital of A2 or A3 from which on more is asked.
        watches: the alarms that are on.
    """

    loss: float
    false_alarms: float = 0.05
    per: int = 10_000
    tolerance: float = 0.01
    errors: float = 3.0
    audit_rate: float = 0.02
    suspicious_rate: float = 1.0
    blind_rate: float = 0.25
    canary_rate: float = 0.01
    suspicious_canaries: float = 0.2
    canary_errors: float = 0.05
    suspicion: float = 1.1
    watches: tuple[Alarm, ...] = ("A1", "A2", "A3")

    def __post_init__(self) -> None:
        if not 0.0 < self.suspicious_rate <= 1.0:
            raise ConfigError(f"suspicious_rate={self.suspicious_rate} is not a share in (0, 1]")
        shares = ("loss", "false_alarms", "audit_rate", "blind_rate", "canary_errors")
        for name in (*shares, "tolerance", "canary_rate", "suspicious_canaries"):
            value = getattr(self, name)
            if not 0.0 < value < 1.0:
                raise ConfigError(f"{name}={value} is not a share in (0, 1)")
        if self.per < 1:
            raise ConfigError(f"per={self.per} is not a number of requests; give 1 or more")
        if self.suspicion <= 1.0 or self.errors < 0.0:
            raise ConfigError(
                f"suspicion={self.suspicion} must exceed 1, errors={self.errors} be 0 or more"
            )
        if self.suspicious_rate < self.audit_rate or self.suspicious_canaries < self.canary_rate:
            raise ConfigError(
                f"suspicious_rate={self.suspicious_rate} and suspicious_canaries="
                f"{self.suspicious_canaries} must not be below the usual {self.audit_rate} and "
                f"{self.canary_rate}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """The predicted quality of the shown answers in a certificate's window.

    Attributes:
        mean: of the predicted probabilities that the shown answer is right.
        spread: their standard deviation.
        n: requests they were taken over, none of which fitted the predictions.
        gains: share of them on which the shown answer is right and the LLM's wrong, if known.
    """

    mean: float
    spread: float
    n: int
    gains: float | None = None

    def __post_init__(self) -> None:
        if self.gains is not None and not 0.0 <= self.gains <= 1.0:
            raise InputError(f"gains={self.gains} is no share of a window; give one in [0, 1]")
        if not 0.0 <= self.mean <= 1.0 or not self.spread >= 0.0 or self.n < 1:
            raise InputError(
                f"mean={self.mean}, spread={self.spread}, n={self.n} describe no window; give a "
                f"mean in [0, 1], a spread of at least 0, and at least one request"
            )


class Alarms:
    """Watches one certificate; made anew for each. Not thread-safe: the owner locks."""

    def __init__(self, plan: DriftPlan, predicted: Predicted, *, canary_errors: float = 0.0):
        """Arm the alarms.

        Args:
            plan: what is watched.
            predicted: what the certificate's window predicted.
            canary_errors: share of the canaries that the LLM gets wrong now.
        """
        if not 0.0 <= canary_errors < 1.0:
            raise ConfigError(f"canary_errors={canary_errors} is not a share in [0, 1)")
        self.plan = plan
        self.predicted = predicted
        self.canary_errors = canary_errors
        self.rules: dict[_Rule, CusumRule] = _rules(plan, predicted, canary_errors)
        self._capitals: dict[_Rule, tuple[float, ...]] = {
            name: (1.0,) * len(BET_SHARES) for name in self.rules
        }
        self.sounded: Alarm | None = None

    @property
    def sighted(self) -> bool:
        """Return whether the predictions vary, so that A1 can see a change."""
        return self.predicted.spread >= LOWEST_SPREAD

    @property
    def audit_rate(self) -> float:
        """Return the share of requests to audit next; it follows from the past alone."""
        blind = "A1" in self.rules and not self.sighted
        if self._suspects("A2"):
            return self.plan.suspicious_rate
        return max(self.plan.blind_rate, self.plan.audit_rate) if blind else self.plan.audit_rate

    @property
    def canary_rate(self) -> float:
        """Return the number of canaries to ask per request; 0 where A3 is off."""
        if "A3" not in self.rules:
            return 0.0
        return self.plan.suspicious_canaries if self._suspects("A3") else self.plan.canary_rate

    def capital(self, name: Alarm) -> float:
        """Return the capital of an alarm that is on; it sounds at ``rules[name].level``."""
        capitals = self._capitals[name]
        if name == "A2":
            capitals += self._capitals.get("A2 losses", ())
        return sum(capitals) / len(capitals)

    def shown(self, probability: float) -> Alarm | None:
        """Take the predicted probability that an answer just shown is right, the LLM's included.

        Returns:
            The alarm that sounds now or sounded before; None while all is quiet.
        """
        return self._take("A1", 1.0 - probability)

    def audited(self, net_loss: float) -> Alarm | None:
        """Take right(LLM) - right(shown answer) of an audited request, 0 where the two agree."""
        return self._take("A2", net_loss)

    def canary(self, *, right: bool) -> Alarm | None:
        """Take whether the LLM answered a canary rightly."""
        return self._take("A3", 0.0 if right else 1.0)

    def renewed(self, plan: DriftPlan, *, canary_errors: float) -> Alarms:
        """Return alarms of another plan; A3 is fresh, those in both plans keep their capital."""
        found = Alarms(plan, self.predicted, canary_errors=canary_errors)
        for name, capitals in self._capitals.items():
            if name in found.rules and name != "A3":
                found._capitals[name] = capitals
        found.sounded = self.sounded
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return {
            "plan": {**asdict(self.plan), "watches": list(self.plan.watches)},
            "predicted": asdict(self.predicted),
            "canary_errors": self.canary_errors,
            "capitals": {name: list(values) for name, values in self._capitals.items()},
            "sounded": self.sounded,
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Alarms:
        """Return what :meth:`to_json` wrote, ready to go on.

        Raises:
            InputError: a field is missing, unknown or of the wrong kind.
        """
        try:
            plan = DriftPlan(**{**plain["plan"], "watches": tuple(plain["plan"]["watches"])})
            found = cls(
                plan,
                Predicted(**plain["predicted"]),
                canary_errors=float(plain["canary_errors"]),
            )
            capitals = {
                name: tuple(float(value) for value in plain["capitals"][name])
                for name in found.rules
            }
            if any(len(values) != len(BET_SHARES) for values in capitals.values()):
                raise ValueError(f"not {len(BET_SHARES)} capitals per alarm")
            found._capitals = capitals
            found.sounded = plain["sounded"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not the state of alarms ({error!r}); certify again") from error
        return found

    def _suspects(self, name: Alarm) -> bool:
        return name in self.rules and self.capital(name) >= self.plan.suspicion

    def _take(self, name: Alarm, value: float) -> Alarm | None:
        if self.sounded is None and name in self.rules:
            rule = self.rules[name]
            if math.isnan(value) or not rule.lowest <= value <= 1.0:
                raise InputError(
                    f"{name}: value={value} is outside [{rule.lowest}, 1]; give a probability, a "
                    f"paired loss, or whether a canary was right"
                )
            self._capitals[name] = rule.step(self._capitals[name], value)
            if name == "A2" and "A2 losses" in self.rules:
                of_losses = self._capitals["A2 losses"]
                self._capitals["A2 losses"] = self.rules["A2 losses"].step(
                    of_losses, max(value, 0.0)
                )
            if self.capital(name) >= rule.level:
                self.sounded = name
        return self.sounded


def _rules(plan: DriftPlan, predicted: Predicted, canary_errors: float) -> dict[_Rule, CusumRule]:
    """Return the rules that are on; the false alarms are shared between them, A3 getting less."""
    doubt = plan.errors * predicted.spread / math.sqrt(predicted.n)
    bounds: dict[Alarm, tuple[float, float]] = {
        "A1": (1.0 - predicted.mean + plan.tolerance + doubt, 0.0),
        "A2": (plan.loss, -1.0),
        "A3": (canary_errors + plan.canary_errors, 0.0),
    }
    # values that an alarm sees within `per` requests while nothing is suspected
    seen: dict[Alarm, float] = {
        "A1": plan.per,
        "A2": max(1.0, plan.per * plan.audit_rate),
        "A3": max(1.0, plan.per * plan.canary_rate),
    }
    parts: dict[Alarm, float] = {"A1": 0.4, "A2": 0.4, "A3": 0.2}
    found: dict[_Rule, CusumRule] = {
        name: CusumRule(
            bound=min(bounds[name][0], 0.999),
            lowest=bounds[name][1],
            level=level_for(false_alarms=plan.false_alarms * parts[name], values=seen[name]),
        )
        for name in plan.watches
    }
    if "A2" in found and predicted.gains is not None:
        most = min(plan.loss + predicted.gains, 0.999)
        found["A2 losses"] = CusumRule(bound=most, lowest=0.0, level=found["A2"].level)
    return found
