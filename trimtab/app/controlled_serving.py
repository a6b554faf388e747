"""Lets a live domain follow a controller that was fitted on its ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from trimtab.agents.controller_bundle import load_controller
from trimtab.agents.controller_rule import ControllerRule
from trimtab.agents.live_chain import live_controller
from trimtab.agents.meta_controller import Ceilings
from trimtab.errors import BundleError, ConfigError
from trimtab.evals.items import LLM
from trimtab.graphs.serving import Serving
from trimtab.records import Budget


def with_controllers(
    servings: Mapping[str, Serving], controllers: Mapping[str, Path | str]
) -> dict[str, Serving]:
    """Return the servings, those with a controller following it.

    Raises:
        ConfigError: a controller is of a domain that is not served.
        BundleError: as :func:`controlled_serving`.
    """
    strangers = sorted(set(controllers) - set(servings))
    if strangers:
        raise ConfigError(
            f"controllers={strangers}: no such domain is served; serve it, or use one of "
            f"{sorted(servings)}"
        )
    followed = {
        name: controlled_serving(servings[name], Path(folder))
        for name, folder in controllers.items()
    }
    return {**servings, **followed}


def controlled_serving(given: Serving, folder: Path) -> Serving:
    """Return what answers a domain by the controller of a bundle, the LLM a step like any other.

    It follows the controller without a promise; under one that is asked for, once it is certified.

    Args:
        given: what answers the domain, by the weights that the controller was fitted with.
        folder: what ``trimtab train live-controller`` wrote.

    Raises:
        BundleError: the bundle is of another domain, other weights or another LLM, or certified
            nothing that could be followed.
    """
    fitted, bundle = load_controller(folder)
    made_for = (bundle.bundle.domain, bundle.spec.get("bundle_id"), bundle.spec.get("llm"))
    found = (given.domain.name, given.bundle_id, given.expert_id)
    if made_for != found:
        raise BundleError(
            f"{folder}: the controller was fitted for domain, weights and LLM {made_for}, not for "
            f"{found}; train it again"
        )
    candidate = fitted.certified
    if candidate is None:
        raise BundleError(f"{folder}: nothing is certified, so that there is nothing to follow")
    names = [agent.name for agent in given.agents]
    prices = dict(given.meta_controller.next((), names, Budget()).prices)
    prices[LLM] = given.expert_price_usd()
    live = live_controller(
        candidate,
        prices=prices,
        canonical=given.domain.canonical,
        ceilings=Ceilings(usd={LLM: prices[LLM]}),
    )
    rule = ControllerRule()
    own_id = hashlib.sha256(f"{given.bundle_id}\0{bundle.bundle.bundle_id}".encode()).hexdigest()
    return replace(
        given, meta_controller=live, judge=live, rule=rule, followed=rule, bundle_id=own_id
    )
