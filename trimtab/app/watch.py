"""Watches what a client decides: feeds the windows and the alarms of its promises.

A1 takes how sure the small models are of every request that a certificate routes, A2 the loss of
every audit (audits of requests that showed the LLM's own answer included: they lose nothing), A3
the canaries. An alarm withdraws the certificate, in memory and on disk: the LLM is asked about
every request, and these requests fill the next window until something is certified again.

Adding to windows and alarms costs microseconds; what needs the ledger or the LLM, and the bets, run
on the audits' thread.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

from trimtab.agents.issued import Issued
from trimtab.agents.promise import Promise
from trimtab.app.canaries import Canaries, ask_all, is_right
from trimtab.app.certificates import CertificateBook
from trimtab.app.following import shown_probability
from trimtab.app.lifetimes import Lifetimes
from trimtab.app.metrics import Metrics, PromiseState
from trimtab.app.watched import Watched, small_confidence
from trimtab.app.window_bets import Against
from trimtab.errors import InputError, LLMError
from trimtab.evals.items import LLM
from trimtab.evals.pairs import uniform_pairs
from trimtab.evals.terms import measured_gains
from trimtab.graphs.serving import Serving
from trimtab.protocols import Ledger
from trimtab.records import Decision, Outcome
from trimtab.release.drift import Alarm

ROUTED = ("confident", "refused", "uncertain")
"""Reasons of the decisions that a certificate routed, neither limits nor people in between."""
SAVE_EVERY = 256
"""Values between two savings of the state: a killed process loses at most so many."""
KEPT = 10_000
"""Audits that may wait for a label; of more, the oldest are given up."""

logger = logging.getLogger(__name__)


class DriftWatch:
    """Feeds the promises of a client; an ``Observer`` of its nodes. Thread-safe.

    Args:
        ledger: where decisions, audits and outcomes are.
        book: the certificates.
        audit_rate: share of requests audited while all is quiet.
        metrics: told everything too, and asked how promises stand.
        given: gives what was to answer a domain, with its controller if it has one.
        route_by: lets a domain be answered in another way from now on.
        background: runs a task off the caller's path.
        now: gives the time, aware.
    """

    def __init__(
        self,
        ledger: Ledger,
        book: CertificateBook,
        *,
        audit_rate: float,
        metrics: Metrics,
        given: Callable[[str], Serving],
        route_by: Callable[[str, Serving], None],
        background: Callable[[Callable[[], None]], None],
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._metrics = metrics
        metrics.promises = self.promises
        self._given = given
        self._background = background
        self._lives = Lifetimes(
            ledger, book, audit_rate=audit_rate, given=given, route_by=route_by, now=now
        )

    def failed(self, domain: str, error: LLMError) -> None:
        """Pass on that the LLM gave no usable answer."""
        self._metrics.failed(domain, error)

    def decided(self, decision: Decision) -> None:
        """Take a decision: one for the open window, or for the alarms of the one in force."""
        self._metrics.decided(decision)
        watched = self._lives.of.get(decision.domain)
        if watched is None:
            return
        if decision.route.reason == "uncertified":
            if self._lives.collect(decision):
                self._background(lambda: self._look(decision.domain))
            self._kept(decision.domain, watched)
        elif decision.route.reason in ROUTED:
            self._routed(watched, decision)

    def answered(self, decision: Decision) -> None:
        """Take an audit whose answer is known."""
        self._ledger.flush()
        self._settle(decision.domain, decision.decision_id)

    def labelled(self, outcome: Outcome) -> None:
        """Take what became of a decision, once that is durable."""
        name = outcome.decision_id
        for domain, watched in list(self._lives.of.items()):
            with self._lives.lock:
                waits, collected = name in watched.waiting, name in watched.rows
                look = False
                if waits:
                    watched.waiting[name] = outcome
                if collected:
                    watched.rows[name] = (watched.rows[name][0], outcome)
                    watched.labels += 1
                    enough = min(watched.missing, watched.windows.plan.every)
                    look = watched.is_full and watched.labels >= enough
            if look:
                self._background(lambda domain=domain: self._look(domain))  # type: ignore[misc]
            if waits:
                self._settle(domain, name)

    def promises(self) -> list[PromiseState]:
        """Return how the promise of each domain stands."""
        with self._lives.lock:
            return [
                PromiseState(
                    domain=domain,
                    phase=watched.windows.phase,
                    window=watched.windows.number,
                    rows=watched.windows.rows if watched.windows.is_open else 0,
                    audit_rate=0.0 if watched.in_force is None else self._lives.rate(domain),
                    alarms=Counter(taken.alarm for taken in watched.withdrawals),
                    certified=sum(bool(one.candidate) for one in watched.windows.history),
                    given_up=sum(not one.candidate for one in watched.windows.history),
                )
                for domain, watched in sorted(self._lives.of.items())
            ]

    def resume(self, servings: Mapping[str, Serving]) -> None:
        """Go on with every promise that was kept, where it stood."""
        self._lives.resume(servings)
        for domain, watched in list(self._lives.of.items()):
            if watched.windows.is_open and watched.rows:
                self._background(lambda domain=domain: self._look(domain))  # type: ignore[misc]
            if watched.waiting:  # labels that other processes gave
                for decision, outcome in self._ledger.scan(domain=domain):
                    if outcome is not None and decision.decision_id in watched.waiting:
                        self.labelled(outcome)

    def certify(self, domain: str, promise: Promise, against: Against) -> Issued:
        """Return the certificate in force, or what the open window shows by now.

        Raises:
            ConfigError, InputError, LLMError: as :meth:`Lifetimes.certify`.
        """
        return self._lives.certify(domain, promise, against)

    def ask(self, domain: str, promise: Promise, against: Against) -> None:
        """Ask for a promise: it is certified by itself, and again after each alarm.

        Raises:
            ConfigError: another promise is bet on already, or no such window can certify it.
        """
        watched = self._lives.ask(domain, promise, against)
        if watched.windows.is_open and watched.rows:
            self._background(lambda: self._look(domain))

    def withdraw(self, domain: str) -> None:
        """Take the certificate in force back, as an alarm does: a person knows it to be wrong.

        Raises:
            InputError: none is in force.
        """
        with self._lives.lock:
            watched = self._lives.of.get(domain)
            if watched is None or watched.in_force is None:
                raise InputError(f"domain {domain!r} has no certificate in force to take back")
            watched.windows.recollect("a person")
            self._lives.withdraw(domain, "a person")

    def canary(self, domain: str, examples: Mapping[str, str]) -> Canaries:
        """Ask every canary once, and watch the LLM by them from now on."""
        found = ask_all(self._given(domain), examples)
        self._lives.watch_canaries(domain, found)
        return found

    def states(self) -> dict[str, dict[str, object]]:
        """Return the windows of each promise as plain JSON values, for the report."""
        with self._lives.lock:
            return {name: one.windows.to_json() for name, one in self._lives.of.items()}

    def save(self) -> None:
        """Keep the state of all promises beside their certificates."""
        with self._lives.lock:
            for domain, watched in self._lives.of.items():
                if watched.unsaved:
                    self._lives.save(domain)

    def _routed(self, watched: Watched, decision: Decision) -> None:
        """Feed the alarms with a decision that the certificate in force routed."""
        settle = False
        with self._lives.lock:
            issued, windows = watched.in_force, watched.windows
            if issued is None or decision.created_at <= issued.last:
                return
            read = shown_probability if issued.is_controller else small_confidence
            sure = read(decision)
            alarm = None if sure is None else windows.shown(sure)
            if alarm is None and decision.audit and self._lives.audit_rate:
                if decision.route.agent == LLM:
                    alarm = windows.audited(0.0)
                else:
                    self._await(watched, decision.decision_id)
                    # a controller may have asked the LLM and show another answer: nobody asks again
                    settle = any(one.agent == LLM for one in decision.predictions)
            watched.credit += windows.canary_rate
            canary = watched.credit >= 1.0
            watched.credit -= canary
            self._heed(decision.domain, watched, alarm)
        if settle:
            self._background(lambda: self.answered(decision))
        if canary and alarm is None:
            self._background(lambda: self._ask_canary(decision.domain, watched, decision))

    def _look(self, domain: str) -> None:
        """Look at the open window's bets; what cannot be done now is tried at the next look."""
        try:
            self._lives.look(domain)
        except (LLMError, InputError) as error:
            logger.warning("domain %s is not certified for the moment: %s", domain, error)

    def _await(self, watched: Watched, decision_id: str) -> None:
        while len(watched.waiting) >= KEPT:
            del watched.waiting[next(iter(watched.waiting))]
        watched.waiting.setdefault(decision_id, None)

    def _settle(self, domain: str, decision_id: str) -> None:
        """Feed A2 the loss of an audited decision, if it is known by now."""
        watched = self._lives.of.get(domain)
        if watched is None or decision_id not in watched.waiting:
            return
        kept = self._ledger.get(decision_id)
        canonical = self._given(domain).domain.canonical
        with self._lives.lock:
            if decision_id not in watched.waiting or watched.in_force is None:
                return  # another thread was quicker
            pairs = uniform_pairs([(kept, watched.waiting[decision_id])], canonical=canonical)
            losses = measured_gains(pairs, watched.in_force)
            if not len(losses) or math.isnan(losses[0]):
                return
            del watched.waiting[decision_id]
            # in one breath: the next window must not fill before the certificate is taken back
            self._heed(domain, watched, watched.windows.audited(float(losses[0])))

    def _ask_canary(self, domain: str, watched: Watched, decision: Decision) -> None:
        number = watched.windows.number
        if watched.canaries is None or watched.in_force is None:
            return
        text, answer = watched.canaries.drawn(decision.decision_id)
        try:
            right = is_right(self._given(domain), text, answer)
        except LLMError as error:
            logger.warning("a canary of domain %s is lost: %s", domain, error)
            return
        with self._lives.lock:
            if watched.windows.number == number:
                self._heed(domain, watched, watched.windows.canary(right=right))

    def _heed(self, domain: str, watched: Watched, alarm: Alarm | None) -> None:
        """Take the certificate back if an alarm sounded; keep the state now and then."""
        if alarm is not None:
            self._lives.withdraw(domain, alarm)
        self._kept(domain, watched)

    def _kept(self, domain: str, watched: Watched) -> None:
        with self._lives.lock:
            watched.unsaved += 1
            if watched.unsaved >= SAVE_EVERY:
                self._lives.save(domain)
