"""Watches certificates over all traffic, and takes one back when an alarm sounds.

A1 takes how sure the small models are of every request that a certificate routes, A2 the loss of
every audit (audits of requests that showed the LLM's own answer included: they lose nothing), A3
the canaries. An alarm withdraws the certificate, in memory and on disk: the LLM is asked about
every request until ``certify`` finds enough of those decided since.

Adding to the alarms costs microseconds; what needs the ledger or the LLM runs on the audits'
thread.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from trimtab.agents.issued import Issued
from trimtab.agents.routing import PromiseRule
from trimtab.app.canaries import Canaries, ask_all, is_right
from trimtab.app.certificates import CertificateBook, write_json
from trimtab.app.metrics import Metrics, PromiseState
from trimtab.app.watched import (
    Watched,
    armed,
    read_canaries,
    read_watched,
    small_confidence,
    with_canaries,
)
from trimtab.errors import ConfigError, LLMError
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
    """The alarms of a client's certificates; an ``Observer`` of its nodes. Thread-safe.

    Args:
        ledger: where decisions, audits and outcomes are.
        book: the certificates.
        audit_rate: share of requests audited while all is quiet.
        metrics: told everything too, and asked how promises stand.
        serving: gives what answers a domain now.
        route_by: routes by a certificate from now on.
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
        serving: Callable[[str], Serving],
        route_by: Callable[[Issued], None],
        background: Callable[[Callable[[], None]], None],
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._book = book
        self._audit_rate = audit_rate
        self._metrics = metrics
        metrics.promises = self.promises
        self._serving = serving
        self._route_by = route_by
        self._background = background
        self._now = now
        self._lock = threading.RLock()
        self._watched: dict[str, Watched] = {}
        self._canaries: dict[str, Canaries] = {}

    def failed(self, domain: str, error: LLMError) -> None:
        """Pass on that the LLM gave no usable answer."""
        self._metrics.failed(domain, error)

    def decided(self, decision: Decision) -> None:
        """Take a decision: how sure the small models are, and whether an audit is to come."""
        self._metrics.decided(decision)
        watched = self._watched.get(decision.domain)
        if watched is None or decision.route.reason not in ROUTED:
            return
        if decision.created_at <= watched.issued.last:
            return
        sure = small_confidence(decision)
        with self._lock:
            alarms = watched.alarms
            alarm = None if sure is None else alarms.shown(sure)
            if decision.audit and self._audit_rate:
                if any(prediction.agent == LLM for prediction in decision.predictions):
                    alarm = alarms.audited(0.0)
                else:
                    self._await(watched, decision.decision_id)
            watched.credit += alarms.canary_rate
            canary = watched.credit >= 1.0
            watched.credit -= canary
        if canary:
            self._background(lambda: self._ask_canary(watched, decision.decision_id))
        self._heed(watched, alarm)

    def answered(self, decision: Decision) -> None:
        """Take an audit whose answer is durable."""
        self._settle(decision.domain, decision.decision_id)

    def labelled(self, outcome: Outcome) -> None:
        """Take what became of a decision, once that is durable."""
        for domain, watched in list(self._watched.items()):
            with self._lock:
                waits = outcome.decision_id in watched.waiting
                if waits:
                    watched.waiting[outcome.decision_id] = outcome
            if waits:
                self._settle(domain, outcome.decision_id)

    def rate(self, domain: str) -> float:
        """Return the share of a domain's requests to audit now; the alarms' where they run."""
        watched = self._watched.get(domain)
        if watched is None or not self._audit_rate:
            return self._audit_rate
        return watched.alarms.audit_rate

    def promises(self) -> list[PromiseState]:
        """Return how the promise of each domain stands."""
        return [
            PromiseState(
                domain=domain,
                in_force=issued.certificate.certified and issued.withdrawn is None,
                window=issued.attempt if issued.withdrawn is None else issued.withdrawn.looked + 1,
                audit_rate=self.rate(domain) if domain in self._watched else 0.0,
                alarms=Counter(taken.alarm for taken in issued.withdrawals),
            )
            for domain, issued in sorted(self._book.issued.items())
        ]

    def rule(self, issued: Issued) -> PromiseRule:
        """Return the rule that applies a certificate and audits as often as its alarms say."""
        rule = issued.rule(audit_rate=self._audit_rate)
        return replace(rule, current_rate=partial(self.rate, issued.domain))

    def resume(self, servings: Mapping[str, Serving]) -> None:
        """Route by every certificate that was kept, and go on with its alarms as they were."""
        for domain, one in servings.items():
            issued = self._book.load(domain, bundle_id=one.bundle_id, llm=one.expert_id)
            if issued is not None:
                self._resume(issued)
                self._route_by(issued)

    def adopt(self, issued: Issued, kept: Issued | None) -> Issued:
        """Keep a certificate, route by it and arm fresh alarms, unless it is the one in force.

        Args:
            issued: what was just issued; its canaries are all asked again.
            kept: what was in force before; where an alarm took it back since, that stays.

        Raises:
            LLMError: the LLM cannot be asked about the canaries.
        """
        domain, canaries = issued.domain, self._canaries.get(issued.domain)
        if canaries is not None and issued.certificate.certified and issued != kept:
            canaries = ask_all(self._serving(domain), dict(canaries.examples))
            self._canaries[domain] = canaries
        with self._lock:
            if self._book.issued.get(domain) is not kept:
                return self._book.issued[domain]
            self._book.keep(issued)
            if issued != kept:
                self._watched.pop(domain, None)
                found = armed(issued, audit_rate=self._audit_rate, canaries=canaries)
                if found is not None:
                    self._watched[domain] = found
                    self._save(found)
                self._route_by(issued)
        return issued

    def canary(self, domain: str, examples: Mapping[str, str]) -> Canaries:
        """Ask every canary once, and watch the LLM by them from now on."""
        found = ask_all(self._serving(domain), examples)
        with self._lock:
            self._canaries[domain] = found
            watched = self._watched.get(domain)
            if watched is not None:
                with_canaries(watched, found)
                self._save(watched)
        return found

    def save(self) -> None:
        """Keep the state of all alarms beside their certificates."""
        with self._lock:
            for watched in self._watched.values():
                if watched.unsaved:
                    self._save(watched)

    def _resume(self, issued: Issued) -> None:
        path = self._book.watch_path(issued)
        canaries = read_canaries(path)
        if canaries is not None:
            self._canaries[issued.domain] = canaries
        fresh = armed(issued, audit_rate=self._audit_rate, canaries=canaries)
        if fresh is None:
            return
        found = self._watched[issued.domain] = read_watched(path, issued) or fresh
        if found.waiting:  # labels that other processes gave
            for decision, outcome in self._ledger.scan(domain=issued.domain):
                if outcome is not None and decision.decision_id in found.waiting:
                    self.labelled(outcome)

    def _await(self, watched: Watched, decision_id: str) -> None:
        while len(watched.waiting) >= KEPT:
            del watched.waiting[next(iter(watched.waiting))]
        watched.waiting.setdefault(decision_id, None)

    def _settle(self, domain: str, decision_id: str) -> None:
        """Feed A2 the loss of an audited decision, if it is known by now."""
        watched = self._watched.get(domain)
        if watched is None or decision_id not in watched.waiting:
            return
        kept = self._ledger.get(decision_id)
        canonical = self._serving(domain).domain.canonical
        with self._lock:
            if decision_id not in watched.waiting:
                return  # another thread was quicker
            pairs = uniform_pairs([(kept, watched.waiting[decision_id])], canonical=canonical)
            losses = measured_gains(pairs, watched.issued)
            if not len(losses) or math.isnan(losses[0]):
                return
            del watched.waiting[decision_id]
            alarm = watched.alarms.audited(float(losses[0]))
        self._heed(watched, alarm)

    def _ask_canary(self, watched: Watched, decision_id: str) -> None:
        if watched.canaries is None:
            return
        text, answer = watched.canaries.drawn(decision_id)
        try:
            right = is_right(self._serving(watched.issued.domain), text, answer)
        except LLMError as error:
            logger.warning("a canary of domain %s is lost: %s", watched.issued.domain, error)
            return
        with self._lock:
            alarm = watched.alarms.canary(right=right)
        self._heed(watched, alarm)

    def _heed(self, watched: Watched, alarm: Alarm | None) -> None:
        """Take the certificate back if an alarm sounded; keep the state now and then."""
        with self._lock:
            watched.unsaved += 1
            domain = watched.issued.domain
            if self._watched.get(domain) is not watched:
                return
            if alarm is None:
                if watched.unsaved >= SAVE_EVERY:
                    self._save(watched)
                return
            del self._watched[domain]
            taken = self._book.issued[domain].withdraw(alarm, at=self._now())
            self._route_by(taken)
            try:
                self._book.keep(taken)
            except ConfigError as error:
                logger.error("the withdrawal of domain %s is not kept: %s", domain, error)
            self._save(watched)
        logger.warning(
            "alarm %s: the certificate of domain %s, window %d, is withdrawn; the LLM is always "
            "asked until it is certified again",
            alarm,
            domain,
            taken.attempt,
        )

    def _save(self, watched: Watched) -> None:
        """Write the state; a disk that takes none costs no decision, and is logged."""
        path = self._book.watch_path(watched.issued)
        watched.unsaved = 0
        try:
            write_json(path, watched.to_json())
        except ConfigError as error:
            logger.error("the alarms of domain %s are not kept: %s", watched.issued.domain, error)
