"""What a report says in sentences, the same in the terminal and on the page."""

from __future__ import annotations

from trimtab.evals.document import DomainReport
from trimtab.evals.policies import NO_OUTCOMES, PolicyRow
from trimtab.evals.promise_words import audited, promised
from trimtab.evals.wording import money, monthly, percent, points, saving, span

METHODS = (
    "Intervals are 95 %: Wilson for shares and quality, order statistics for times, percentile "
    "bootstrap over decisions for money, Newcombe's paired score interval for differences in "
    "quality, the certifying bet for audits and for quality along the LLM share. A limit written – "
    "cannot be bounded with so few decisions."
)
POLICY_LABELS = {
    "routed": "routed",
    "always_llm": "always the LLM",
    "never_llm": "never the LLM",
    "random": "random at equal share",
}


def policy_label(row: PolicyRow) -> str:
    """Return a policy's name; the word *simulated* stands in it wherever an expert is."""
    label = POLICY_LABELS[row.policy]
    return f"{label} (simulated expert)" if row.simulated else label


def headlines(domain: DomainReport) -> list[str]:
    """Return the main facts of a domain: the promise if there is one, the bill, the quality."""
    promise, facts = promised(domain), [*_bill(domain), *_quality(domain)]
    if domain.promise.state == "none":
        return [*facts, *promise, *audited(domain), *_trouble(domain)]
    return [*promise, *audited(domain), *facts, *_trouble(domain)]


def compared(domain: DomainReport) -> str:
    """Return which decisions the policies are compared on."""
    comparison = domain.comparison
    if comparison.sample == "none":
        return "No comparison with always asking the LLM."
    drawn = "" if comparison.sample == "all" else " drawn uniformly"
    judged = f"; quality on the {comparison.n_quality:,} whose answers can all be judged"
    if all(row.quality is None for row in comparison.rows):
        judged = f"; differences in quality on {comparison.n_quality:,}, equal answers included"
    if _after_cold_start(domain):
        drawn += ", the cold start left out"
    return (
        f"The same {comparison.n:,} of {domain.n:,} decisions{drawn}"
        + (judged if comparison.n_quality else "")
        + "."
    )


def _after_cold_start(domain: DomainReport) -> bool:
    """Return whether the compared decisions leave a cold start out."""
    uniform = domain.comparison.sample == "uniform"
    return uniform and "uncertified" in domain.reasons and domain.promise.audits.answered > 0


def _bill(domain: DomainReport) -> list[str]:
    lines = []
    savings = domain.comparison.savings
    expert = "simulated LLM expert" if domain.simulated else "LLM"
    if savings is not None and savings.fraction is not None:
        words = saving(savings.fraction).replace("the LLM", f"the {expert}")
        since = "Routing" if domain.promise.state == "none" else "So far routing"
        if _after_cold_start(domain):
            since = "After the cold start routing"
        lines.append(f"{since} {words}.")
    elif savings is not None:
        lines.append("Always asking the LLM costs nothing here, so no part of it can be saved.")
    if domain.monthly is not None:
        month, promise = domain.monthly, domain.monthly.basis == "promise"
        if month.saved_usd is not None:
            words = monthly(month.saved_usd, month.volume).replace("the LLM", f"the {expert}")
            lines.append(_sentence(f"under the promise, {words}" if promise else words))
        lines.append(
            f"The bill of {month.volume:,} decisions a month "
            f"{'under the promise' if promise else 'as routed'}: {money(month.usd.value)} "
            f"({span(month.usd)})."
        )
    return lines


def _quality(domain: DomainReport) -> list[str]:
    lines = []
    if domain.quality is None:
        lines.append(NO_OUTCOMES)
    else:
        sources = ", ".join(f"{count:,} by {source}" for source, count in domain.outcomes.items())
        lines.append(
            f"Quality {percent(domain.quality.value)} ({span(domain.quality, 'percent')}) "
            f"over {domain.quality.n:,} outcomes ({sources})."
        )
        if domain.labels_selected:
            lines[-1] += " Mostly judged where answers differ: not the quality of all traffic."
    savings = domain.comparison.savings
    if savings is not None and savings.quality_difference is not None:
        difference = savings.quality_difference
        lines.append(
            f"Against always asking: {points(difference.value)} ({span(difference, 'points')})."
        )
    if savings is not None and savings.quality_over_random is not None:
        over = savings.quality_over_random
        lines.append(
            f"Against random routing at equal share: {points(over.value)} ({span(over, 'points')})."
        )
    missing = domain.comparison.missing
    if missing and missing not in lines:
        lines.append(missing)
    return lines


def _trouble(domain: DomainReport) -> list[str]:
    degraded = domain.reasons.get("degraded", 0)
    return [
        f"Degraded {degraded:,} (the LLM was wanted and failed), unreadable LLM replies "
        f"{domain.parse_errors:,}, audited {domain.audited:,} of {domain.n:,} decisions."
    ]


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."
