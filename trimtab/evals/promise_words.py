"""The promise in sentences, for the reader who signs for quality."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from trimtab.agents.issued import CONTROLLER, Taker
from trimtab.agents.promise import Certificate
from trimtab.agents.slices import FACTOR, LEAST
from trimtab.evals.document import DomainReport
from trimtab.evals.promise_life import life_told
from trimtab.evals.promises import Audits, PromiseReport
from trimtab.evals.wording import percent, points, saving, span
from trimtab.stats import Estimate

TAKERS: Mapping[Taker, str] = {
    "A1": "alarm A1 (the small models have become less sure)",
    "A2": "alarm A2 (audits lose more than was promised)",
    "A3": "alarm A3 (the LLM gets its canaries wrong)",
    "a person": "a person",
}


def promised(domain: DomainReport) -> list[str]:
    """Return what is promised, and what stands in the way where nothing is."""
    promise = domain.promise
    lines = [_statement(promise), *_price(promise)]
    if promise.life is not None:
        lines += life_told(promise.life)
    if not promise.current:
        lines.append(
            f"The certificate is of other weights ({promise.bundle_id[:16]}) than those that "
            "answer now, which it does not cover; certify these."
        )
    if promise.unlabelled:
        lines.append(
            f"{promise.unlabelled:,} of {promise.uniform:,} requests drawn uniformly need a label: "
            "the small models and the LLM differ, and nobody has said who is right. Give it with: "
            f"trimtab label --domain {domain.domain}"
        )
    return [_named(line, domain) for line in lines]


def audited(domain: DomainReport) -> list[str]:
    """Return what was routed, refused and audited, and what the audits say of the promise."""
    audits, promise = domain.promise.audits, domain.promise
    lines = []
    if audits.since is not None and promise.state in ("certified", "refused", "withdrawn"):
        lines.append(_since(audits))
    if audits.answered and audits.loss_low is not None and audits.loss_high is not None:
        lines.append(_verdict(audits, promise, low=audits.loss_low, high=audits.loss_high))
    if promise.slices and promise.certificate is not None:
        lines.append(_slices(promise, promise.certificate.loss))
    return [_named(line, domain) for line in lines]


def curve_note(domain: DomainReport) -> str:
    """Return which requests the curve is over, and what it leaves open."""
    curve = domain.curve
    if curve is None:
        return "No request drawn uniformly has both answers yet, so there is no curve."
    ranked = "expected gain of asking" if curve.score == "gain" else "stated confidence"
    note = (
        f"The same {curve.n:,} requests drawn uniformly, ranked by the {ranked}, without the "
        f"price of audits. The loss is against {curve.against}."
    )
    if curve.unlabelled:
        note += (
            f" {curve.unlabelled:,} of them need a label (trimtab label --domain {domain.domain}); "
            "shares that would show their small answer have no quality yet."
        )
    return _named(note, domain)


def _statement(promise: PromiseReport) -> str:
    certificate = promise.certificate
    if certificate is None or promise.asked is None:
        if promise.state == "none":
            return "No promise asked for."
        return (
            f"No certificate yet, so the LLM is always asked: {promise.uniform:,} requests drawn "
            "uniformly so far; see trimtab certify."
        )
    loss, sure = _size(certificate.loss), f"with {promise.asked * 100:g} % confidence"
    window = _window(promise, certificate)
    if promise.withdrawal is not None:
        taken = promise.withdrawal
        return (
            f"Withdrawn by {TAKERS[taken.alarm]} on {_stamp(taken.at)} UTC: "
            f"the LLM is always asked until window {taken.looked + 1} is certified, on requests "
            "decided since."
        )
    if promise.state == "refused":
        return (
            f"The LLM is not worth asking here: never asking it is certified to be at most {loss} "
            f"below always asking it, {sure}, on {window}."
        )
    if promise.state == "certified":
        return f"At most {loss} below always asking the LLM, {sure}: certified on {window}."
    return (
        f"Not certified at {loss} {sure}: after {window} the capital of the bet is "
        f"{certificate.wealth:.3g} of the {certificate.needed:.3g} needed; the LLM is always asked."
    )


def _window(promise: PromiseReport, certificate: Certificate) -> str:
    between = ""
    if promise.first is not None and promise.last is not None:
        between = f" between {_stamp(promise.first)} and {_stamp(promise.last)} UTC"
    measured = f"against {certificate.against}, {certificate.labels:,} labels"
    if certificate.against.startswith("agreement"):
        measured = f"against {certificate.against}, not against the truth"
    return f"{certificate.n:,} requests drawn uniformly{between} ({measured})"


def _price(promise: PromiseReport) -> list[str]:
    if promise.certificate is None:
        return []
    if promise.certificate.candidate == CONTROLLER:
        asked = percent(promise.certificate.llm_share)
        return [f"The fitted controller chooses every step; in the window it asks on {asked}."]
    if promise.bill is None or promise.llm_share is None:
        return ["These rows hold no request drawn uniformly, so the rule has no known price."]
    if promise.state == "refused":
        asking = "no request asks the LLM, audits aside"
    elif promise.state in ("failed", "withdrawn"):
        asking = "every request asks the LLM"
    else:
        share = promise.llm_share
        asking = f"{percent(share.value)} of requests ({span(share, 'percent')}) ask the LLM"
    cost = "always asking it costs nothing, so that no part of it can be saved"
    if promise.bill.fraction is not None:
        cost = "that " + saving(promise.bill.fraction).replace("the LLM", "it")
    audits = "audits included" if promise.audits.n else "before audits"
    return [f"By that rule {asking}, and {cost}, {audits}."]


def _slices(promise: PromiseReport, loss: float) -> str:
    """Return which slices lose too much, and how many cannot be judged."""
    slices, by = promise.slices, promise.sliced_by
    few = sum(one.verdict == "too few" for one in slices)
    losing = [f"{one.category} (n = {one.n:,})" for one in slices if one.verdict == "loses"]
    bound = f"more than {_size(FACTOR * loss)} below the LLM"
    asked = "among requests drawn uniformly since the window"
    if few == len(slices):
        return f"By {by}, too few {asked} to say which loses: at least {LEAST} of one are needed."
    what = "answered " if by == "answer" else ""
    said = f"{what}{', '.join(losing)}: {bound}" if losing else f"none is shown to be {bound}"
    many = "answers" if by == "answer" else "categories"
    rest = f"; {few} of {len(slices)} {many} have fewer than {LEAST} requests" if few else ""
    return f"By {by}, {asked}: {said}{rest}."


def _since(audits: Audits) -> str:
    if audits.llm_share is None or audits.share is None:
        return "No decision has been routed since the certificate."
    return (
        f"Since the certificate {audits.decisions:,} decisions: the LLM asked on "
        f"{percent(audits.llm_share.value)} ({span(audits.llm_share, 'percent')}), refused on "
        f"{audits.refused:,}, asked in addition, as an audit, on {audits.n:,} "
        f"({percent(audits.share.value)})."
    )


def _verdict(audits: Audits, promise: PromiseReport, *, low: float, high: float) -> str:
    # a loss reads as a difference in quality, so its bounds change places and signs
    limits = span(Estimate(value=0.0, low=0.0 - high, high=0.0 - low, n=audits.answered), "points")
    if audits.loss is None:
        said = (
            f"{audits.answered:,} audits put the shown answers at {limits} against always asking "
            f"the LLM, whatever the {audits.unlabelled:,} missing labels say"
        )
    else:
        found = points(0.0 - audits.loss)
        said = (
            f"{audits.answered:,} audits put the shown answers at {found} against always asking "
            f"the LLM (95 %: {limits})"
        )
    if promise.certificate is None or not promise.certificate.certified:
        return f"{said}."
    if low > promise.certificate.loss:
        return f"{said}: the promise is broken; take it back with trimtab certify --anew."
    if high <= promise.certificate.loss:
        return f"{said}: they confirm the promise."
    return f"{said}: they do not contradict the promise, and are too few to confirm it."


def _size(loss: float) -> str:
    size = f"{loss * 100:.6g}"
    return f"{size} point" if size == "1" else f"{size} points"


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _named(line: str, domain: DomainReport) -> str:
    """Return a line in which the LLM is called what it is: simulated, where it was."""
    return line.replace("the LLM", "the simulated LLM expert") if domain.simulated else line
