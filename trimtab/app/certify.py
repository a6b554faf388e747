"""Certifies a promise on a ledger's uniform requests, and keeps certificates as files.

The first third of a window's requests fits the gain model and the thresholds; the rest, which
neither has seen, is bet on. Where a window is too small to spare any, fixed confidences are tried.
The k-th window of a bundle has the part ``δ·6/(π²k²)`` of the allowed error, so that going on until
it works breaks no promise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.gain import GainModel, fit_gain_on
from trimtab.agents.issued import Issued
from trimtab.agents.promise import REFUSAL, Promise, certify, share_thresholds
from trimtab.agents.routing import PromiseRule
from trimtab.errors import BundleError, ConfigError, InputError
from trimtab.evals.items import Canonical, Row
from trimtab.evals.pairs import Pair, uniform_pairs

Floats = NDArray[np.float64]

FIT_SHARE = 1.0 / 3.0
"""Requests that are fitted on, for each one that is bet on."""
MIN_GAINS = 10
"""Requests of the fit part on which the answers must differ for a gain model to be fitted."""
MIN_PAIRS = 20
MIN_WINDOW_TO_FIT = 75
"""With a smaller window nothing is fitted: all requests are bet on, at fixed confidences."""
FIXED_THRESHOLDS = (0.99, 0.98, 0.97, 0.96, 0.95, 0.93, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
Against = Literal["gold", "agreement"]


def issue(
    rows: Iterable[Row],
    promise: Promise,
    *,
    domain: str,
    bundle_id: str,
    canonical: Canonical,
    against: Against = "gold",
) -> Issued:
    """Return the certificate that a domain's uniform requests give, certified or not.

    Requests are cut into windows in the order in which they were drawn; the newest one counts.
    A window may be looked at as often as one likes while it fills.

    Args:
        rows: the domain's rows, oldest first.
        promise: what is asked for; its window counts the requests that are bet on.
        domain: their domain.
        bundle_id: requests of other bundles are left out.
        canonical: the domain's canonical words of an action.
        against: ``gold`` compares with outcomes; ``agreement`` takes the LLM to be right.

    Raises:
        InputError: too few uniform requests, or some need a label first.
    """
    pairs = uniform_pairs(rows, canonical=canonical, bundle_id=bundle_id)
    fitted = 0 if promise.window < MIN_WINDOW_TO_FIT else math.ceil(promise.window * FIT_SHARE)
    size = fitted + promise.window
    attempt = max(1, math.ceil(len(pairs) / size))
    pairs = pairs[(attempt - 1) * size :]
    if len(pairs) < max(MIN_PAIRS, fitted + 1):
        raise InputError(
            f"domain {domain!r} has {len(pairs)} requests on which both the LLM and the small "
            f"models of bundle {bundle_id[:12]} answered without selection (window {attempt}); at "
            f"least {max(MIN_PAIRS, fitted + 1)} are needed: decide more in mode 'auto'"
        )
    gains = _gains(pairs, against)
    differs = np.array([pair.differs for pair in pairs])
    delta = (1.0 - promise.confidence) * 6.0 / (math.pi * attempt) ** 2
    compared = _against(pairs, against)
    gain = _fit(pairs[:fitted], gains[:fitted])
    rule = PromiseRule(gain=gain)
    scores = np.array([rule.score(pair.cheap) for pair in pairs])
    # never asking the LLM has nothing fitted to it, so that all requests may be bet on
    certificate = certify(
        scores,
        gains,
        loss=promise.loss,
        confidence=1.0 - delta * REFUSAL,
        thresholds=(),
        differs=differs,
        refusal=0.0,
        against=compared,
        planned=size,
    )
    if not certificate.certified:
        certificate = certify(
            scores[fitted:],
            gains[fitted:],
            loss=promise.loss,
            confidence=1.0 - delta * (1.0 - REFUSAL),
            thresholds=share_thresholds(scores[:fitted]) if fitted else FIXED_THRESHOLDS,
            differs=differs[fitted:],
            refusal=0.0,
            against=compared,
            planned=promise.window,
        )
    return Issued(
        domain=domain,
        bundle_id=bundle_id,
        certificate=certificate,
        gain=gain,
        first=pairs[0].decision.created_at,
        last=pairs[-1].decision.created_at,
        attempt=attempt,
        asked=promise.confidence,
    )


class CertificateBook:
    """The certificates of a client, by domain, and the folder that keeps them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.issued: dict[str, Issued] = {}

    def load(self, domain: str, bundle_id: str) -> Issued | None:
        """Return the certificate kept for a domain's bundle, None where there is none."""
        path = certificate_path(self._folder, domain=domain, bundle_id=bundle_id)
        if path.exists():
            self.issued[domain] = read_certificate(path, bundle_id=bundle_id)
        return self.issued.get(domain)

    def keep(self, issued: Issued) -> None:
        """Remember a certificate, and write it to the folder."""
        self.issued[issued.domain] = issued
        path = certificate_path(self._folder, domain=issued.domain, bundle_id=issued.bundle_id)
        write_certificate(path, issued)


def certificate_path(folder: Path, *, domain: str, bundle_id: str) -> Path:
    """Return the file that keeps the certificate of a domain's bundle."""
    return folder / f"{quote(domain, safe=' ')}-{bundle_id[:16]}.json"


def read_certificate(path: Path, *, bundle_id: str | None = None) -> Issued:
    """Return a kept certificate.

    Raises:
        InputError: the file cannot be read, or is no certificate.
        BundleError: it holds for other weights.
    """
    try:
        issued = Issued.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"certificate {path} cannot be read ({error}); certify again") from error
    if bundle_id is not None and issued.bundle_id != bundle_id:
        raise BundleError(
            f"certificate {path} holds for bundle {issued.bundle_id[:12]}, not {bundle_id[:12]}; "
            "certify the new bundle on its own requests"
        )
    return issued


def write_certificate(path: Path, issued: Issued) -> None:
    """Keep a certificate; the file appears whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(issued.to_json(), indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"certificate {path} cannot be written ({error})") from error


def _gains(
    pairs: list[Pair], against: Against
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    if against == "agreement":
        return np.array([float(pair.differs) for pair in pairs])
    missing = sum(pair.needs_label for pair in pairs)
    if missing:
        raise InputError(
            f"{missing} of {len(pairs)} requests need a label, because the LLM and the small "
            "models disagree on them; run: trimtab label, or certify against agreement"
        )
    return np.array([pair.gain for pair in pairs])


def _fit(pairs: list[Pair], gains: Floats) -> GainModel | None:
    if sum(pair.differs for pair in pairs) < MIN_GAINS:
        return None
    return fit_gain_on([pair.cheap for pair in pairs], gains)


def _against(pairs: list[Pair], against: Against) -> str:
    if against == "agreement":
        return "agreement with the LLM"
    if any(pair.differs and pair.source == "judge" for pair in pairs):
        return "a judge"
    return "gold"
