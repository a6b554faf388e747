"""The HTTP service: the SDK's calls as routes, for programs that are not written in Python.

``trimtab serve`` runs it alone, ``langgraph.json`` mounts it beside the graphs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field

import trimtab
from trimtab.app.client import Trimtab
from trimtab.app.guard import Guard
from trimtab.errors import ContextOverflow, InputError, LedgerError, LLMError, TrimtabError
from trimtab.records import Budget, Mode, OutcomeSource, decision_to_json

logger = logging.getLogger(__name__)

SHOWN_CHARS = 80
"""Of a value that was refused, at most this many characters are sent back."""
STATUS = (
    (ContextOverflow, 422),
    (InputError, 422),
    (LLMError, 503),
    (LedgerError, 409),
    (TrimtabError, 500),
)


class DecideRequest(BaseModel):
    """Body of ``POST /v1/decide``."""

    model_config = ConfigDict(extra="forbid")
    text: str
    domain: str = "assistant"
    mode: Mode = "auto"
    spend_usd_per_1000: Annotated[float, Field(ge=0)] | None = None
    budget_usd: Annotated[float, Field(ge=0)] | None = None
    budget_seconds: Annotated[float, Field(ge=0)] | None = None
    budget_calls: Annotated[int, Field(ge=0)] | None = None
    category: str = ""


class FeedbackRequest(BaseModel):
    """Body of ``POST /v1/feedback``: exactly one of ``answer`` and ``reward``."""

    model_config = ConfigDict(extra="forbid")
    decision_id: str
    answer: str | None = None
    reward: float | None = None
    source: OutcomeSource = "user"


def create_app(
    client: Callable[[], Trimtab],
    *,
    key: Callable[[], str | None],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """Return the service.

    Args:
        client: gives the client; called on worker threads, by every request.
        key: gives the key that callers must send, None to answer this machine only.
        lifespan: what opens and closes with the service.
    """
    app = FastAPI(title="trimtab", version=trimtab.__version__, lifespan=lifespan)
    app.add_middleware(Guard, key=key)
    app.add_exception_handler(TrimtabError, _explain)
    app.add_exception_handler(RequestValidationError, _explain_body)

    @app.post("/v1/decide")
    def decide(body: DecideRequest) -> dict[str, Any]:
        """Decide on a text; answers once the ledger row is durable."""
        opened = client()
        decision = opened.decide(
            body.domain,
            body.text,
            mode=body.mode,
            spend_usd_per_1000=body.spend_usd_per_1000,
            category=body.category,
            budget=Budget(
                usd=body.budget_usd, seconds=body.budget_seconds, calls=body.budget_calls
            ),
        )
        # stored once, however often it is appended: this waits for our own row, and fails with it
        opened.ledger.append(decision).result()
        return decision_to_json(decision)

    @app.post("/v1/feedback")
    def feedback(body: FeedbackRequest) -> dict[str, Any]:
        """Record what became of a decision."""
        outcome = client().feedback(
            body.decision_id, answer=body.answer, reward=body.reward, source=body.source
        )
        return {"decision_id": outcome.decision_id, "reward": outcome.reward}

    @app.get("/v1/report")
    def report(domain: str | None = None, volume: int | None = None) -> dict[str, Any]:
        """Return the report on the ledger."""
        return client().report(domain, volume=volume)

    @app.get("/metrics")
    def metrics() -> PlainTextResponse:
        """Return the metrics for Prometheus; a LangGraph server shows them among its own."""
        return PlainTextResponse(client().metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz")
    def healthz() -> dict[str, Any]:
        """Answer as long as the process does."""
        return {"ok": True, "version": trimtab.__version__}

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        """Tell whether bundles are loaded and the ledger takes rows."""
        try:
            client().ledger.flush()
        except TrimtabError as error:
            logger.error("not ready: %s", error)
            return JSONResponse({"ready": False, "error": type(error).__name__}, status_code=503)
        return JSONResponse({"ready": True})

    return app


def _explain(request: Request, error: Exception) -> JSONResponse:
    status = next(status for kind, status in STATUS if isinstance(error, kind))
    return JSONResponse({"error": type(error).__name__, "detail": str(error)}, status_code=status)


def _explain_body(request: Request, error: Exception) -> JSONResponse:
    """Name field, value and remedy of everything that is wrong with a body or a query."""
    if not isinstance(error, RequestValidationError):
        raise TypeError(f"asked to explain {error!r}")
    problems = [_problem(problem) for problem in error.errors()]
    return JSONResponse({"error": "InputError", "detail": "; ".join(problems)}, status_code=422)


def _problem(problem: dict[str, Any]) -> str:
    kind, said = problem["type"], problem["msg"]
    field = ".".join(str(part) for part in problem["loc"][1:]) or "body"
    if kind == "missing":
        return f"{field} is missing; send it"
    if kind == "json_invalid":
        return f"body is not JSON ({problem['ctx']['error']}); send one JSON object"
    shown = repr(problem["input"])
    if len(shown) > SHOWN_CHARS:
        shown = shown[:SHOWN_CHARS] + " …"
    if kind == "extra_forbidden":
        return f"{field}={shown} is not a field; leave it out"
    return f"{field}={shown} cannot be used: {said[0].lower()}{said[1:]}"
