"""The report as frozen records, and their way to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from trimtab.errors import InputError
from trimtab.evals.curve import Curve
from trimtab.evals.policies import Comparison
from trimtab.evals.promises import PromiseReport
from trimtab.evals.recursions import Recursion
from trimtab.stats import Estimate, ReliabilityBin

SCHEMA = "trimtab.report/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRow:
    """The decisions that one agent's tier answered.

    Times are what the caller waited; None where a simulated expert answered, which takes none.
    """

    route: str
    n: int
    share: Estimate
    quality: Estimate | None
    p50_s: Estimate | None
    p95_s: Estimate | None
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Stated confidence against outcomes of the shown answers that have both."""

    n: int
    ece: float
    bins: tuple[ReliabilityBin, ...]
    accuracy_low: tuple[float, ...]
    accuracy_high: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Decisions per route within a stretch of time, ``start`` included."""

    start: datetime
    end: datetime
    routes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monthly:
    """What a month of ``volume`` decisions costs, and saves against always asking the LLM.

    ``basis`` tells whether as ``routed`` until now, or under the ``promise`` in force.
    """

    volume: int
    usd: Estimate
    saved_usd: Estimate | None
    basis: Literal["routed", "promise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReport:
    """One domain.

    Attributes:
        domain: its name.
        n: decisions.
        first: time of the earliest decision.
        last: time of the latest.
        bundles: decisions per bundle.
        outcomes: outcomes by source; quality is against these.
        quality: mean reward of the shown answers that have an outcome.
        labels_selected: whether mostly requests on which the answers differ were judged, so that
            ``quality`` is not that of all traffic.
        llm_share: decisions on which the caller waited for the LLM.
        audited: decisions on which the LLM was asked in addition.
        usd_per_1000: US dollars per 1,000 decisions, all agents and audits included.
        reasons: decisions per reason of the route; ``degraded`` is among them.
        parse_errors: unreadable LLM replies.
        simulated: whether a simulated expert took part.
        routes: one row per route, the most frequent first.
        calibration: None where no shown answer has both a confidence and an outcome.
        periods: shares of the routes over time.
        comparison: policies on the same items.
        promise: what is promised, and what audits say of it.
        curve: cost against quality on requests drawn uniformly; None where there are none.
        monthly: figures for the volume that was asked for.
        recursions: how a recursive net came to a few of its answers; empty where none answers.
    """

    domain: str
    n: int
    first: datetime
    last: datetime
    bundles: Mapping[str, int]
    outcomes: Mapping[str, int]
    quality: Estimate | None
    labels_selected: bool
    llm_share: Estimate
    audited: int
    usd_per_1000: Estimate
    reasons: Mapping[str, int]
    parse_errors: int
    simulated: bool
    routes: tuple[RouteRow, ...]
    calibration: Calibration | None
    periods: tuple[Period, ...]
    comparison: Comparison
    promise: PromiseReport
    curve: Curve | None
    monthly: Monthly | None
    recursions: tuple[Recursion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Domains in alphabetical order; empty for an empty ledger."""

    domains: tuple[DomainReport, ...]


def report_to_json(report: Report) -> dict[str, Any]:
    """Return the report as plain JSON values with its schema."""
    from pydantic import TypeAdapter

    text = TypeAdapter(Report).dump_json(report)
    return {"schema": SCHEMA, **json.loads(text)}


def report_from_json(plain: Mapping[str, Any]) -> Report:
    """Return the report that :func:`report_to_json` wrote.

    Raises:
        InputError: the object has another schema, or does not follow it.
    """
    from pydantic import TypeAdapter, ValidationError

    if plain.get("schema") != SCHEMA:
        raise InputError(f"schema={plain.get('schema')!r} is not {SCHEMA!r}; write the report anew")
    try:
        return TypeAdapter(Report).validate_python({"domains": plain.get("domains")})
    except ValidationError as error:
        raise InputError(f"report does not follow {SCHEMA}: {error}") from error
