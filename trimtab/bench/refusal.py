"""Whether the router refuses an LLM that does not help, and pays for one that does.

One stream of test requests through the SDK: a cold start in which the LLM is always asked, a
certificate, then routing under it, audits included.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.agents.issued import Issued
from trimtab.agents.promise import Promise
from trimtab.agents.simulated import SimulatedExpert
from trimtab.app.client import Trimtab
from trimtab.app.experts import ExpertFactory
from trimtab.app.serving import LLM, bundle_servings, load_embedders
from trimtab.bench.choices_data import ChoicesTable, shipped_table, user_table
from trimtab.bench.experts import PRICED_AS, expert_accuracy
from trimtab.bench.refusal_figures import cold_measures, refusal_measures
from trimtab.bench.result import Bar, bench_result
from trimtab.datasets.tables import LabelledText
from trimtab.domains.choices import Choices
from trimtab.embedding import CachedEmbedder
from trimtab.errors import ConfigError
from trimtab.ledger import SqliteLedger
from trimtab.pricing import load_prices
from trimtab.protocols import AnyAgent, AnyDomain
from trimtab.settings import Settings, load_settings
from trimtab.training.ladder_fit import TextPolicyConfig
from trimtab.training.text_policy import train_text_policy

PROMISE_LOSS = 0.02
CONFIDENCE = 0.95
WINDOW = 600
LOOK_EVERY = 50
FIRST_LOOK = WINDOW // 3 + 40
"""Requests before the first look: those that are fitted on, and some to spare for bad replies."""
POLICIES = ("trained", "untrained")
CLINC150 = Path("data") / "clinc150.jsonl.gz"
"""Where ``trimtab data get clinc150`` puts it."""
CLINC150_COLUMNS = {
    "text_column": "text",
    "label_column": "intent",
    "split_column": "split",
    "oos_label": "oos",
}
Progress = Callable[[str], None]


def run(
    *,
    table: Path | None = None,
    text_column: str = "text",
    label_column: str = "label",
    split_column: str | None = None,
    oos_label: str | None = None,
    per_label: int | None = 20,
    policy: str = "trained",
    expert: str = "live",
    cold_start: int = 800,
    n: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return the benchmark ``refusal``.

    Args:
        table: labelled texts with a split column; CLINC150 as ``trimtab data get`` wrote it if
            None, the shipped set if that is not there either.
        text_column: of the table.
        label_column: of the table.
        split_column: of the table: train, val and test.
        oos_label: label that is no class.
        per_label: training texts per label; all if None.
        policy: ``trained``, or ``untrained``: the same nets fitted to permuted labels.
        expert: ``live`` asks the LLM of the settings; ``simulated:p`` is right with probability p.
        cold_start: requests at most on which the LLM is always asked, until a certificate.
        n: requests routed under the certificate.
        seed: of every draw.
        progress: told what is being done.

    Raises:
        ConfigError: a policy or an expert that is not known.
        InputError: the table cannot be used.
    """
    if policy not in POLICIES:
        raise ConfigError(f"--policy {policy!r} is not known; use one of {list(POLICIES)}")
    if cold_start <= FIRST_LOOK:
        raise ConfigError(f"--cold-start {cold_start} is too short; give more than {FIRST_LOOK}")
    expert_accuracy(expert)
    say = progress or (lambda line: None)
    settings = load_settings()
    columns = {
        "text_column": text_column,
        "label_column": label_column,
        "split_column": split_column,
        "oos_label": oos_label,
    }
    rows = _table(table, columns, per_label=per_label, seed=seed)
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(rows.test))[: cold_start + n]
    requests = [rows.test[place] for place in drawn.tolist()]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        settings = replace(settings, certificates=folder / "certificates")
        bundle = folder / "bundle"
        domain = _train(rows, bundle, policy=policy, seed=seed, settings=settings, say=say)
        llm = LLM(settings)
        factory = _expert(expert, domain, settings=settings, seed=seed, llm=llm)
        served = {
            name: replace(serving, expert_id=serving.expert_id if expert == "live" else expert)
            for name, serving in bundle_servings(
                {domain.name: bundle}, settings=settings, expert=factory
            ).items()
        }
        ledger = SqliteLedger(folder / "ledger.sqlite")
        try:
            # audits are drawn by id: numbered ids make every run draw the same
            new_id = map(f"refusal-{seed}-{{}}".format, count()).__next__
            with Trimtab(
                servings=served, ledger=ledger, settings=settings, new_id=new_id
            ) as client:
                issued = _cold_start(client, domain.name, requests[:cold_start], say)
                first_routed = len(list(ledger.scan()))
                say(f"routing {n} requests")
                _decide(client, domain.name, requests[first_routed : first_routed + n])
                client.flush()
                decided = [decision for decision, _ in ledger.scan()]
        finally:
            llm.close()
            ledger.close()
    first, found = decided[:first_routed], decided[first_routed:]
    labels = [row.label for row in requests[: len(decided)]]
    measures = refusal_measures(first, found, labels[first_routed:], domain, issued, settings, rng)
    measures |= cold_measures(first, labels[:first_routed], domain)
    return bench_result(
        "refusal",
        data=f"{rows.name}, policy {policy}, expert {expert}",
        n=len(found),
        seed=seed,
        measures=measures,
        bars=_bars(policy, expert, settings.audit_rate),
    )


def _table(
    table: Path | None, columns: Mapping[str, str | None], *, per_label: int | None, seed: int
) -> ChoicesTable:
    if table is None and CLINC150.exists():
        table = CLINC150
        columns = CLINC150_COLUMNS
    if table is None:
        return shipped_table(per_label=per_label, seed=seed)
    return user_table(
        table,
        table,
        text_column=columns["text_column"] or "text",
        label_column=columns["label_column"] or "label",
        split_column=columns["split_column"],
        oos_label=columns["oos_label"],
        per_label=per_label,
        seed=seed,
    )


def _train(
    rows: ChoicesTable, out: Path, *, policy: str, seed: int, settings: Settings, say: Progress
) -> Choices:
    """Write the policy's bundle and return a domain that knows the truth of the test requests."""
    samples: Sequence[LabelledText] = rows.train
    if policy == "untrained":
        order = np.random.default_rng(seed).permutation(len(samples))
        samples = [
            replace(row, label=samples[other].label)
            for row, other in zip(samples, order.tolist(), strict=True)
        ]
    cache = settings.home / "embeddings.sqlite"
    embedders = {
        name: CachedEmbedder(embedder, cache)
        for name, embedder in load_embedders(settings.models).items()
    }
    trained = train_text_policy(
        rows.domain,
        samples,
        # an untrained policy must not be calibrated on labels that it could have learned from
        validation=rows.validation if policy == "trained" else (),
        embedders=embedders,
        config=TextPolicyConfig(),
        seed=seed,
        progress=say,
    )
    trained.pack(out)
    return Choices(
        name=rows.domain.name,
        labels=rows.domain.labels,
        descriptions=rows.domain.descriptions,
        out_of_scope=rows.domain.out_of_scope,
        references={row.text: row.label for row in rows.test},
    )


def _expert(
    expert: str, domain: Choices, *, settings: Settings, seed: int, llm: LLM
) -> ExpertFactory:
    probability = expert_accuracy(expert)
    if probability is None:
        return llm.agent
    simulated = SimulatedExpert(
        domain,
        accuracy=probability,
        priced_as=PRICED_AS,
        prices=load_prices(settings),
        seed=seed,
    )

    def make(served: AnyDomain) -> AnyAgent:
        return simulated

    return make


def _cold_start(
    client: Trimtab, domain: str, rows: Sequence[LabelledText], say: Progress
) -> Issued:
    """Return the first certificate, looking every ``LOOK_EVERY`` requests; the last look if none.

    The window's plan is fixed before the first request, so looking costs nothing.
    """
    promise = Promise(loss=PROMISE_LOSS, confidence=CONFIDENCE, window=WINDOW)
    issued = None
    for start in range(0, len(rows), LOOK_EVERY):
        part = rows[start : start + LOOK_EVERY]
        _decide(client, domain, part)
        if start + len(part) <= FIRST_LOOK:
            continue
        issued = client.certify(domain, promise)
        say(f"cold start: {start + len(part)} requests, wealth {issued.certificate.wealth:.3g}")
        if issued.certificate.certified:
            break
    return issued or client.certify(domain, promise)


def _decide(client: Trimtab, domain: str, rows: Iterable[LabelledText]) -> None:
    for row in rows:
        decision = client.decide(domain, row.text)
        client.feedback(decision.decision_id, answer=row.label, source="checker")


def _bars(policy: str, expert: str, audit_rate: float) -> list[Bar]:
    if policy == "untrained" and expert == "simulated:0.95":
        return [Bar(key="escalation", at_least=0.95), Bar(key="saved", at_most=0.0)]
    if policy == "trained" and expert == "live" and load_settings().uses_embedded_llm:
        return [
            Bar(key="llm_share", at_most=audit_rate + 0.01),
            Bar(key="accuracy_gap", at_most=0.002),
        ]
    return []
