"""Keeps each domain's promise through its windows: asks, collects, looks, certifies, takes back.

:class:`trimtab.agents.promise_windows.PromiseWindows` says what is due; the requests come from
traffic, and from the ledger after a restart. A window's number is on disk before its requests are
looked at, so that no restart gives back what it may spend.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from trimtab.agents.issued import Issued, Taker
from trimtab.agents.promise import Promise
from trimtab.agents.promise_windows import PromiseWindows
from trimtab.app.canaries import Canaries, ask_all
from trimtab.app.certificates import CertificateBook
from trimtab.app.certify import least_pairs, look, plan_of
from trimtab.app.following import play, routed
from trimtab.app.watched import Watched, drift_plan
from trimtab.app.watched_files import read_watched, write_watched
from trimtab.app.window_bets import Against
from trimtab.app.window_rows import WindowRows
from trimtab.errors import ConfigError, InputError
from trimtab.graphs.serving import Serving
from trimtab.protocols import Ledger
from trimtab.records import Decision

logger = logging.getLogger(__name__)


class Lifetimes:
    """The promises of a client, by domain. Thread-safe; ``lock`` guards what ``of`` holds.

    Args:
        ledger: where decisions and outcomes are.
        book: the certificates.
        audit_rate: share of requests audited while all is quiet.
        given: gives what was to answer a domain, with its controller if it has one.
        route_by: lets a domain be answered in another way from now on.
        now: gives the time, aware.
    """

    def __init__(
        self,
        ledger: Ledger,
        book: CertificateBook,
        *,
        audit_rate: float,
        given: Callable[[str], Serving],
        route_by: Callable[[str, Serving], None],
        now: Callable[[], datetime],
    ) -> None:
        self.book = book
        self.audit_rate = audit_rate
        self.lock = threading.RLock()
        self.of: dict[str, Watched] = {}
        self._given = given
        self._rows = WindowRows(ledger, given)
        self._route_by = route_by
        self._now = now
        self._looking = threading.Lock()
        self._canaries: dict[str, Canaries] = {}

    def resume(self, servings: Mapping[str, Serving]) -> None:
        """Go on with every promise that was kept, where it stood."""
        for domain, one in servings.items():
            issued = self.book.load(domain, bundle_id=one.bundle_id, llm=one.expert_id)
            path = self.book.watch_path(domain, bundle_id=one.bundle_id, llm=one.expert_id)
            found = read_watched(path, issued, audit_rate=self.audit_rate)
            if found is None:
                continue
            self.of[domain] = found
            if found.canaries is not None:
                self._canaries[domain] = found.canaries
            if found.in_force is None:
                self._rows.refill(domain, found)
            self._route(found)

    def ask(self, domain: str, promise: Promise, against: Against) -> Watched:
        """Return the promise of a domain, asked for now where it had none.

        The newest of the requests that the ledger holds already begin its first window.

        Raises:
            ConfigError: another promise is bet on already, or no such window can certify it.
        """
        with self.lock:
            known = self.of.get(domain)
            if known is not None and known.is_same(promise, against):
                return known
            canaries = self._canaries.get(domain)
            drift = drift_plan(promise.loss, audit_rate=self.audit_rate, canaries=canaries)
            found = Watched(
                domain=domain,
                asked=promise,
                against=against,
                windows=PromiseWindows(plan_of(promise), drift),
                canaries=canaries,
            )
            self._rows.refill(domain, found)
            found.open_with_rows(self._now())
            self.of[domain] = found
            self.save(domain)
            self._route(found)
        rows, planned = found.windows.rows, found.windows.planned
        logger.info("domain %s: window 1 is open with %d of %d requests", domain, rows, planned)
        return found

    def collect(self, decision: Decision) -> bool:
        """Take a decision on which the LLM was asked anyway; return whether to look at the bets."""
        domain = decision.domain
        with self.lock:
            watched = self.of[domain]
            windows = watched.windows
            if windows.phase == "certified" or not self._rows.belongs(watched, decision):
                return False
            if watched.is_full:
                watched.late += 1
                return watched.looks_again
            number = windows.number
            due = windows.collected()
            if windows.number != number:
                watched.begin(self._now())
                self.save(domain)
                logger.info("window %d of domain %s is open, a retry", windows.number, domain)
                return False
            watched.rows[decision.decision_id] = (decision, None)
            if len(watched.rows) > windows.planned:
                del watched.rows[next(iter(watched.rows))]
            return due in ("look", "end")

    def certify(self, domain: str, promise: Promise, against: Against) -> Issued:
        """Return the certificate in force, or what the open window shows by now.

        Raises:
            ConfigError, LLMError: as :meth:`ask` and :meth:`look`.
            InputError: too few uniform requests; the promise is asked for all the same.
        """
        watched = self.ask(domain, promise, against)
        least = least_pairs(watched.windows.plan)
        self._rows.refresh(domain, watched)
        with self.lock:
            if watched.in_force is not None:
                return watched.in_force
            if watched.windows.phase == "no saving" and len(watched.rows) >= least:
                watched.windows.recollect("a person")
                watched.windows.collected(len(watched.rows))
                watched.open_with_rows(self._now())
                self.save(domain)
        found = self.look(domain, decide=True)
        kept = found or watched.issued
        if kept is None or (found is None and watched.windows.is_open):
            raise InputError(self._rows.too_few(domain, watched, least))
        return kept

    def look(self, domain: str, *, decide: bool = False) -> Issued | None:
        """Look at the open window's bets, and serve what they certify.

        Args:
            domain: that has a promise.
            decide: whether to serve the best that is certified by now; otherwise one that asks the
                LLM less may be waited for until the window is full.

        Returns:
            What was certified, or why nothing is; None where the window goes on.

        Raises:
            LLMError: the LLM cannot be asked about the canaries.
        """
        with self._looking:
            watched = self.of[domain]
            windows = watched.windows
            if watched.is_full and not decide:
                self._rows.refresh(domain, watched)
            with self.lock:
                if not windows.is_open:
                    return watched.in_force
                rows, number, planned = dict(watched.rows), windows.number, windows.planned
                if self.of[domain] is not watched or len(rows) < least_pairs(windows.plan):
                    return None
                watched.labels = 0
                if not watched.looked:
                    watched.looked = True
                    self.save(domain)
            pairs = self._rows.pairs(domain, list(rows.values()))
            serving = self._given(domain)
            names = {"bundle_id": serving.bundle_id, "llm": serving.expert_id}
            issued = look(
                pairs,
                watched.asked,
                number=number,
                planned=planned,
                against=watched.against,
                warm=watched.warm,
                played=play(serving, pairs, rows),
                named={"domain": domain, **names},
                decide=decide,
            )
            return None if issued is None else self._settle(domain, watched, issued)

    def withdraw(self, domain: str, alarm: Taker) -> None:
        """Take the certificate back; the next window is open already."""
        with self.lock:
            watched = self.of[domain]
            if watched.issued is None:
                return
            taken = watched.issued.withdraw(alarm, at=self._now())
            watched.issued = taken
            watched.begin(taken.withdrawals[-1].at)
            self._route(watched)
            try:
                self.book.keep(taken)
            except ConfigError as error:
                logger.error("the withdrawal of domain %s is not kept: %s", domain, error)
            self.save(domain)
        logger.warning(
            "%s: the certificate of domain %s is withdrawn; window %d is open",
            *(alarm, domain, watched.windows.number),
        )

    def rate(self, domain: str) -> float:
        """Return the share of a domain's requests to audit now; the alarms' where they run."""
        watched = self.of.get(domain)
        alarms = None if watched is None else watched.windows.alarms
        return self.audit_rate if alarms is None or not self.audit_rate else alarms.audit_rate

    def watch_canaries(self, domain: str, canaries: Canaries) -> None:
        """Watch the LLM by these canaries from now on."""
        with self.lock:
            self._canaries[domain] = canaries
            watched = self.of.get(domain)
            if watched is not None:
                watched.arm(canaries, audit_rate=self.audit_rate)
                self.save(domain)

    def save(self, domain: str) -> None:
        """Keep the state of a promise beside its certificate."""
        given = self._given(domain)
        path = self.book.watch_path(domain, bundle_id=given.bundle_id, llm=given.expert_id)
        write_watched(path, self.of[domain])

    def _route(self, watched: Watched) -> None:
        """Answer a domain as its promise stands."""
        served = routed(
            self._given(watched.domain),
            watched.issued,
            audit_rate=self.audit_rate,
            current_rate=partial(self.rate, watched.domain),
        )
        self._route_by(watched.domain, served)

    def _settle(self, domain: str, watched: Watched, issued: Issued) -> Issued:
        """Serve a certificate, or keep that there is none."""
        canaries = watched.canaries
        if issued.certificate.certified and canaries is not None:
            canaries = ask_all(self._given(domain), dict(canaries.examples))
        with self.lock:
            windows = watched.windows
            kept = watched.issued
            if kept is not None:
                issued = replace(issued, withdrawals=kept.withdrawals)
            watched.issued = issued
            watched.missing = issued.unlabelled
            if issued.certificate.certified:
                if canaries is not None:
                    watched.arm(canaries, audit_rate=self.audit_rate)
                    self._canaries[domain] = canaries
                self._certified(watched, issued)
            elif watched.is_full and not issued.unlabelled:
                windows.give_up()
                watched.begin(issued.last)
                said = "window %d of domain %s certifies nothing: no saving"
                logger.warning(said, issued.attempt, domain)
            if issued != kept:
                self.book.keep(issued)
                self._route(watched)
            self.save(domain)
        return issued

    def _certified(self, watched: Watched, issued: Issued) -> None:
        if issued.predicted is None:
            raise InputError("predicted is None; only kept certificates lack it")
        certificate, canaries = issued.certificate, watched.canaries
        watched.windows.certify(
            certificate.candidate,
            llm_share=certificate.llm_share,
            predicted=issued.predicted,
            canary_errors=0.0 if canaries is None else canaries.errors,
        )
        watched.warm = issued
        watched.begin(issued.last)
        logger.info(
            "window %d of domain %s is certified: %s, the LLM asked on %.1f %%",
            *(issued.attempt, issued.domain, certificate.candidate, 100.0 * certificate.llm_share),
        )
