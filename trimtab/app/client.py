"""The SDK: decide, give feedback, report.

The fast path runs the graph's node functions directly and enters the compiled graph only where
the expert is asked: a compiled graph costs a hundred times what the small models cost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.agents.issued import Issued
from trimtab.agents.promise import Promise
from trimtab.app.asking import Asking
from trimtab.app.audits import Auditor
from trimtab.app.canaries import Canaries
from trimtab.app.certificates import CertificateBook
from trimtab.app.controlled_serving import with_controllers
from trimtab.app.experts import ExpertFactory
from trimtab.app.fast_path import AskHuman, FastPath
from trimtab.app.metrics import Metrics
from trimtab.app.serving import LLM, bundle_servings, open_ledger, shipped_bundles
from trimtab.app.truth import by_answer, by_reward
from trimtab.app.watch import DriftWatch
from trimtab.app.window_bets import Against
from trimtab.errors import InputError
from trimtab.graphs.ids import new_decision_id
from trimtab.graphs.nodes import DecideNodes, utc_now
from trimtab.graphs.serving import Serving
from trimtab.protocols import Ledger
from trimtab.records import Budget, Decision, Mode, Outcome, OutcomeSource
from trimtab.settings import Settings, load_settings

if TYPE_CHECKING:
    from trimtab.graphs.decide import Graph


class Trimtab(Asking):
    """Decides with small models first and asks the LLM only where they are unsure.

    Thread-safe. Use it as a context manager, or call :meth:`close`.

    Args:
        bundles: folder of the bundle that answers each domain; its kind decides how.
        shipped: domains that bundles of trimtab answer; ``assistant`` if neither bundles nor
            servings nor these are given.
        servings: what answers domains that no bundle makes.
        controllers: folder of the controller that a domain follows, from ``train_live_controller``.
        ledger: where decisions go; ``settings.ledger`` if None.
        expert: makes the agent that stands in for the LLM of a bundle's domain; the LLM of the
            settings if None.
        ask_human: answers a question of the expert ``human``; needed for that expert only.
        settings: read from the environment if None.
        new_id: draws decision ids; give a seeded source for repeatable ledgers.
        now: gives the time, aware.
    """

    def __init__(
        self,
        *,
        bundles: Mapping[str, Path | str] | None = None,
        shipped: Sequence[str] = (),
        servings: Mapping[str, Serving] | None = None,
        controllers: Mapping[str, Path | str] | None = None,
        ledger: Ledger | None = None,
        expert: ExpertFactory | None = None,
        ask_human: AskHuman | None = None,
        settings: Settings | None = None,
        new_id: Callable[[], str] = new_decision_id,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings = settings or load_settings()
        self._ask_human = ask_human
        self._swapping = threading.Lock()
        self._llm = LLM(self.settings)
        chosen = shipped if bundles or servings or shipped else ("assistant",)
        served = bundle_servings(
            {**shipped_bundles(chosen), **(bundles or {})},
            settings=self.settings,
            expert=expert or self._llm.agent,
        )
        self._owns_ledger = ledger is None
        if ledger is None:
            ledger = open_ledger(self.settings.ledger)
        self.ledger: Ledger = ledger
        served = with_controllers(served | dict(servings or {}), controllers or {})
        self.metrics = Metrics(served, ledger)
        self.certificates = CertificateBook(self.settings.certificates)
        self._auditor = Auditor(ledger, answered=lambda decision: self.watch.answered(decision))
        self.watch = DriftWatch(
            ledger,
            self.certificates,
            audit_rate=self.settings.audit_rate,
            metrics=self.metrics,
            given=lambda name: served.get(name) or self.nodes.serving(name),
            route_by=self._serve,
            background=self._auditor.queue,
            now=now,
        )
        nodes = DecideNodes(
            servings=served,
            ledger=ledger,
            auditor=self._auditor.submit,
            new_id=new_id,
            now=now,
            observer=self.watch,
        )
        self.fast_path = FastPath(nodes, ask_human)
        self.watch.resume(served)

    @property
    def domains(self) -> list[str]:
        """Return the names of the served domains."""
        return sorted(self.nodes.servings)

    @property
    def graph(self) -> Graph:
        """Return the compiled graph that escalations run through."""
        return self.fast_path.graph

    @property
    def nodes(self) -> DecideNodes:
        """Return what the nodes of the graph do."""
        return self.fast_path.nodes

    def decide(
        self,
        domain: str,
        text: str,
        *,
        mode: Mode = "auto",
        human: bool = False,
        budget: Budget | None = None,
        spend_usd_per_1000: float | None = None,
        decision_id: str | None = None,
        category: str = "",
    ) -> Decision:
        """Return the decision on a text; its ledger row is queued.

        Args:
            domain: name of a served domain.
            text: the request.
            mode: ``auto`` keeps the promise (without a certificate the LLM is always asked),
                ``neural_only`` never asks the expert, ``llm_only`` always does, ``adaptive``
                asks as often as ``spend_usd_per_1000`` pays for.
            human: ask a person where the expert is to be asked.
            budget: hard limits of this decision.
            spend_usd_per_1000: spending rate of ``adaptive``, US dollars per 1,000 decisions.
            decision_id: an id of the caller's own; drawn if None.
            category: what the request is about; the report judges the promise by it.

        Raises:
            InputError: the request cannot be used; the message names field, value and remedy.
            LLMError: ``llm_only``, and the LLM gave no usable answer.
        """
        context = self.fast_path.context(
            domain,
            mode=mode,
            human=human,
            budget=budget,
            spend_usd_per_1000=spend_usd_per_1000,
            decision_id=decision_id,
            category=category,
        )
        return self.fast_path.finish(self.fast_path.start(text, context), context)

    def decide_many(
        self,
        domain: str,
        texts: Sequence[str],
        *,
        mode: Mode = "auto",
        budget: Budget | None = None,
        spend_usd_per_1000: float | None = None,
    ) -> list[Decision]:
        """Return one decision per text, in order; the LLM is asked several at a time.

        A bad text raises before any LLM is asked; what was decided before it is kept.
        """
        if isinstance(texts, str):
            raise InputError("texts is one string; give a sequence of texts, or use decide")
        context = self.fast_path.context(
            domain, mode=mode, budget=budget, spend_usd_per_1000=spend_usd_per_1000
        )
        return self.fast_path.many(texts, context, workers=self.settings.llm_max_concurrency)

    def feedback(
        self,
        decision_id: str,
        *,
        answer: str | None = None,
        reward: float | None = None,
        source: OutcomeSource = "user",
    ) -> Outcome:
        """Record what became of a decision, durably, and return it.

        Args:
            decision_id: a decision of this ledger.
            answer: the right answer; the reward is then 1 if it is the one that was shown.
            reward: how good the shown answer was, in [0, 1]; one of the two must be given.
            source: who says so.

        Raises:
            InputError: neither or both of ``answer`` and ``reward``, a reward outside [0, 1], or
                ``answer`` to a decision over papers, which takes a reward alone.
            LedgerError: no such decision.
        """
        outcome = (
            by_answer(self.ledger, decision_id, answer, source, self.nodes.serving)
            if answer is not None and reward is None
            else by_reward(decision_id, answer, reward, source)
        )
        self.ledger.resolve(outcome).result()
        self.watch.labelled(outcome)
        return outcome

    def promise(self, domain: str, promise: Promise, *, against: Against = "gold") -> None:
        """Ask for a promise: it is certified by itself, and again when an alarm took it back.

        Args:
            domain: a served domain.
            promise: what is asked for.
            against: ``gold`` compares with outcomes, ``agreement`` takes the LLM to be right.

        Raises:
            ConfigError: another promise is bet on already, or no such window can certify it.
        """
        self.watch.ask(domain, promise, against)

    def certify(self, domain: str, promise: Promise, *, against: Against = "gold") -> Issued:
        """Return the certificate that the ledger's uniform requests give by now, and route by it.

        Raises:
            ConfigError: another promise is bet on already, or no such window can certify it.
            InputError: too few uniform requests; the promise is asked for all the same.
        """
        self.flush()
        return self.watch.certify(domain, promise, against)

    def canary(self, domain: str, examples: Mapping[str, str]) -> Canaries:
        """Ask the LLM each text once, and some again under a certificate (alarm A3).

        Args:
            domain: a served domain.
            examples: the right answer of each text.

        Raises InputError where there are none or the LLM gets all wrong, LLMError if it is gone.
        """
        return self.watch.canary(domain, examples)

    def report(self, domain: str | None = None, *, volume: int | None = None) -> dict[str, Any]:
        """Return the report on the ledger as one JSON object.

        Args:
            domain: only this domain; all if None.
            volume: decisions per month.
        """
        from trimtab.evals.report import ledger_report

        self.flush()
        return ledger_report(
            self.ledger.scan(domain=domain),
            volume=volume,
            canonical={name: one.domain.canonical for name, one in self.nodes.servings.items()},
            certificates={name: one.to_json() for name, one in self.certificates.issued.items()},
            lives=self.watch.states(),
        )

    def flush(self) -> None:
        """Return once every decision and audit so far is durable."""
        self._auditor.flush()
        self.ledger.flush()
        self.watch.save()

    def close(self) -> None:
        """Flush the ledger and stop the embedded LLM, if one was started."""
        self._auditor.close()
        self.watch.save()
        self.close_researchers()
        self._llm.close()
        if self._owns_ledger:
            self.ledger.close()
        else:
            self.ledger.flush()

    def __enter__(self) -> Trimtab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self, domain: str, serving: Serving) -> None:
        """Answer a domain so from now on; decisions under way end as they began."""
        with self._swapping:
            nodes = replace(self.nodes, servings={**self.nodes.servings, domain: serving})
            self.fast_path = FastPath(nodes, self._ask_human)
