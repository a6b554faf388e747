"""The life of a promise: collect on the LLM, certify, serve, and start over when an alarm sounds.

::

    cold start ──certified──> certified ──alarm──> recollecting ──certified──> certified …
        │                                              │
        └──────── nothing certifiable ──> no saving <──┘ ──after ``retry`` requests──> recollecting

Outside ``certified`` the LLM answers every request, and the small models run beside it. Each window
k is certified with the error δ·6/(π²k²), whose sum over all windows is δ: with the promised
confidence *no* window of a lifetime is certified wrongly.

:class:`PromiseWindows` keeps the phase, the windows' history and the alarms; it holds no requests
(the ledger does) and fits nothing (training does). It tells its owner when to do so.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal, get_args

from trimtab.agents.window_plan import Window, WindowPlan, window_delta
from trimtab.errors import ConfigError, InputError
from trimtab.release.drift import Alarm, Alarms, DriftPlan, Predicted

SCHEMA = "trimtab.promise-windows/1"

Phase = Literal["cold start", "certified", "recollecting", "no saving"]
Due = Literal["nothing", "fit", "look", "end"]


class PromiseWindows:
    """The phases of one promise. Thread-safe: every change holds the lock."""

    def __init__(self, plan: WindowPlan, drift: DriftPlan) -> None:
        """Begin with the cold start.

        Raises:
            ConfigError: the two plans are about different promises.
        """
        _check_same(plan, drift)
        self.plan, self.drift = plan, drift
        self._lock = threading.RLock()
        self._phase: Phase = "cold start"
        self._number = 1
        self._rows = 0
        self._opened_by = "cold start"
        self._idle = 0
        self._alarms: Alarms | None = None
        self._history: list[Window] = []

    @property
    def phase(self) -> Phase:
        """Return the phase."""
        return self._phase

    @property
    def is_open(self) -> bool:
        """Return whether a window is open, so that requests are collected."""
        return self.phase in ("cold start", "recollecting")

    @property
    def number(self) -> int:
        """Return k, the number of the window that is open or was last certified."""
        return self._number

    @property
    def delta(self) -> float:
        """Return the allowed error of window k."""
        return window_delta(1.0 - self.plan.confidence, self._number)

    @property
    def planned(self) -> int:
        """Return the rows of the open window at most."""
        return self.plan.cold_start if self._number == 1 else self.plan.recollect

    @property
    def rows(self) -> int:
        """Return the rows of the open, or else of the last window."""
        return self._rows

    @property
    def history(self) -> tuple[Window, ...]:
        """Return the windows that ended, oldest first."""
        return tuple(self._history)

    @property
    def candidate(self) -> str:
        """Return the candidate that may be served; empty where the LLM answers everything."""
        return self._history[-1].candidate if self._phase == "certified" else ""

    @property
    def last_certified(self) -> str:
        """Return the candidate certified last, which the next window starts from; maybe empty."""
        return next((w.candidate for w in reversed(self._history) if w.candidate), "")

    @property
    def alarms(self) -> Alarms | None:
        """Return the alarms in force; None outside ``certified``. Read them, feed them here."""
        return self._alarms

    @property
    def audit_rate(self) -> float:
        """Return the share of requests to audit next; 0 where the LLM answers everything."""
        alarms = self.alarms
        return 0.0 if alarms is None else alarms.audit_rate

    @property
    def canary_rate(self) -> float:
        """Return the canaries to ask per request; 0 where the LLM answers everything."""
        alarms = self.alarms
        return 0.0 if alarms is None else alarms.canary_rate

    def collected(self, rows: int = 1) -> Due:
        """Take requests that were answered by the LLM and by the small models.

        Returns:
            ``fit``: fit and order the candidates on so many first rows (any beyond may be bet on at
            once), and look at other bets; ``look``: look, then :meth:`certify` or go on; ``end``:
            look, then :meth:`certify` or :meth:`give_up`. In phase ``no saving`` rows are only
            counted until the next window.

        Raises:
            InputError: a certificate is in force, or the window does not take so many rows.
        """
        with self._lock:
            self._require_open(rows)
            if self._phase == "no saving":
                self._idle += rows
                if self._idle >= self.plan.retry:
                    self._open("retry")
                return "nothing"
            before, self._rows = self._rows, self._rows + rows
            if self._rows >= self.planned:
                return "end"
            if any(before < row <= self._rows for row in self.plan.fits):
                return "fit"
            every, first = self.plan.every, self.plan.first_fit
            looks = max(self._rows - first, 0) // every - max(before - first, 0) // every
            return "look" if looks else "nothing"

    def certify(
        self,
        candidate: str,
        *,
        llm_share: float,
        predicted: Predicted,
        canary_errors: float = 0.0,
    ) -> None:
        """Serve a candidate that the open window certified, and arm the alarms.

        Args:
            candidate: its name.
            llm_share: share of the window on which it asks the LLM.
            predicted: what it predicts on the rows of the window that fitted nothing.
            canary_errors: share of the canaries that the LLM gets wrong now.

        Raises:
            InputError: no window is open, or its first part is not complete.
        """
        with self._lock:
            if (
                self._phase not in ("cold start", "recollecting")
                or self._rows <= self.plan.first_fit
            ):
                raise InputError(
                    f"phase={self._phase!r} with {self._rows} rows certifies nothing; collect more "
                    f"than {self.plan.first_fit} rows of a window first"
                )
            if not candidate:
                raise InputError("candidate is empty; name what was certified")
            self._alarms = Alarms(self.drift, predicted, canary_errors=canary_errors)
            self._end(candidate, llm_share)
            self._phase = "certified"

    def give_up(self) -> None:
        """End the open window without a certificate: the LLM answers everything, nothing is saved.

        Raises:
            InputError: no window is open.
        """
        with self._lock:
            if not self.is_open:
                raise InputError(f"phase={self._phase!r}: there is no window to give up")
            self._end("", 1.0)
            self._phase, self._idle = "no saving", 0

    def shown(self, probability: float) -> Alarm | None:
        """Return the alarm that the predicted probability of an answer just shown sounds.

        It opens the next window at once. Outside ``certified`` nothing happens.
        """
        with self._lock:
            return self._heed(None if self._alarms is None else self._alarms.shown(probability))

    def audited(self, net_loss: float) -> Alarm | None:
        """Take the paired net loss of an audited request; return the alarm it sounds."""
        with self._lock:
            return self._heed(None if self._alarms is None else self._alarms.audited(net_loss))

    def canary(self, *, right: bool) -> Alarm | None:
        """Take whether the LLM answered a canary rightly; return the alarm it sounds."""
        with self._lock:
            return self._heed(None if self._alarms is None else self._alarms.canary(right=right))

    def recollect(self, reason: str) -> None:
        """Open the next window though no alarm sounded: a person, or a new bundle, asks for it."""
        with self._lock:
            if self.is_open:
                raise InputError(f"phase={self._phase!r}: a window is open already; let it end")
            self._open(reason)

    def watch_by(self, drift: DriftPlan, *, canary_errors: float) -> None:
        """Watch by another plan from now on; A3 begins anew, other alarms keep their capital.

        Raises:
            ConfigError: the plan is about another promise.
        """
        _check_same(self.plan, drift)
        with self._lock:
            self.drift = drift
            if self._alarms is not None:
                self._alarms = self._alarms.renewed(drift, canary_errors=canary_errors)

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        with self._lock:
            return {
                "schema": SCHEMA,
                "plan": {**asdict(self.plan), "fits": list(self.plan.fits)},
                "drift": {**asdict(self.drift), "watches": list(self.drift.watches)},
                "phase": self._phase,
                "number": self._number,
                "rows": self._rows,
                "opened_by": self._opened_by,
                "idle": self._idle,
                "alarms": None if self._alarms is None else self._alarms.to_json(),
                "history": [asdict(window) for window in self._history],
            }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> PromiseWindows:
        """Return what :meth:`to_json` wrote, ready to go on.

        Raises:
            InputError: another schema, or a field is missing, unknown or of the wrong kind.
        """
        if (schema := plain.get("schema")) != SCHEMA:
            raise InputError(f"schema={schema!r} is not {SCHEMA!r}; begin with a cold start")
        try:
            drift = {**plain["drift"], "watches": tuple(plain["drift"]["watches"])}
            plan = {**plain["plan"], "fits": tuple(plain["plan"]["fits"])}
            found = cls(WindowPlan(**plan), DriftPlan(**drift))
            found._phase = plain["phase"]
            found._number, found._rows = int(plain["number"]), int(plain["rows"])
            found._opened_by, found._idle = str(plain["opened_by"]), int(plain["idle"])
            alarms = plain["alarms"]
            found._alarms = None if alarms is None else Alarms.from_json(alarms)
            found._history = [Window(**window) for window in plain["history"]]
            if found._phase not in get_args(Phase) or found._number < 1 or found._rows < 0:
                raise ValueError(f"phase={found._phase!r}, number={found._number}")
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not the state of a promise ({error!r}); begin again") from error
        return found

    def _require_open(self, rows: int) -> None:
        if self._phase == "certified":
            raise InputError("a certificate is in force; its requests are not collected")
        left = self.planned - self._rows
        if self._phase != "no saving" and not 1 <= rows <= max(left, 0):
            raise InputError(f"rows={rows} do not fit the open window, which takes {left} more")

    def _heed(self, alarm: Alarm | None) -> Alarm | None:
        if alarm is not None:
            self._open(alarm)
        return alarm

    def _open(self, reason: str) -> None:
        self._phase, self._opened_by = "recollecting", reason
        self._number, self._rows, self._alarms = self._number + 1, 0, None

    def _end(self, candidate: str, llm_share: float) -> None:
        self._history.append(
            Window(
                number=self._number,
                opened_by=self._opened_by,
                rows=self._rows,
                candidate=candidate,
                llm_share=llm_share,
            )
        )


def _check_same(plan: WindowPlan, drift: DriftPlan) -> None:
    if plan.loss != drift.loss:
        raise ConfigError(
            f"loss={plan.loss} of the windows, {drift.loss} of the alarms; give both the promised"
        )
