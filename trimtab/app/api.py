"""The HTTP service: the SDK's calls as routes, for programs that are not written in Python."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

import trimtab
from trimtab.app.client import Trimtab
from trimtab.errors import InputError, LedgerError, LLMError, TrimtabError
from trimtab.records import Budget, Mode, OutcomeSource, decision_to_json


class DecideRequest(BaseModel):
    """Body of ``POST /v1/decide``."""

    model_config = ConfigDict(extra="forbid")
    text: str
    domain: str = "assistant"
    mode: Mode = "auto"
    budget_usd: Annotated[float, Field(ge=0)] | None = None
    budget_seconds: Annotated[float, Field(ge=0)] | None = None
    budget_calls: Annotated[int, Field(ge=0)] | None = None


class FeedbackRequest(BaseModel):
    """Body of ``POST /v1/feedback``: exactly one of ``answer`` and ``reward``."""

    model_config = ConfigDict(extra="forbid")
    decision_id: str
    answer: str | None = None
    reward: float | None = None
    source: OutcomeSource = "user"


def create_app(client: Trimtab) -> FastAPI:
    """Return the service over a client; the caller closes the client."""
    app = FastAPI(title="trimtab", version=trimtab.__version__)

    @app.exception_handler(TrimtabError)
    def explain(request: Request, error: TrimtabError) -> JSONResponse:
        status = 500
        if isinstance(error, InputError):
            status = 422
        elif isinstance(error, LLMError):
            status = 503
        elif isinstance(error, LedgerError):
            status = 409
        body = {"error": type(error).__name__, "detail": str(error)}
        return JSONResponse(body, status_code=status)

    @app.post("/v1/decide")
    def decide(body: DecideRequest) -> dict[str, Any]:
        """Decide on a text; answers once the ledger row is durable."""
        decision = client.decide(
            body.domain,
            body.text,
            mode=body.mode,
            budget=Budget(
                usd=body.budget_usd, seconds=body.budget_seconds, calls=body.budget_calls
            ),
        )
        client.flush()
        return decision_to_json(decision)

    @app.post("/v1/feedback")
    def feedback(body: FeedbackRequest) -> dict[str, Any]:
        """Record what became of a decision."""
        outcome = client.feedback(
            body.decision_id, answer=body.answer, reward=body.reward, source=body.source
        )
        return {"decision_id": outcome.decision_id, "reward": outcome.reward}

    @app.get("/v1/report")
    def report(domain: str | None = None, volume: int | None = None) -> dict[str, Any]:
        """Return the report on the ledger."""
        return client.report(domain, volume=volume)

    @app.get("/healthz")
    def healthz() -> dict[str, Any]:
        """Return which domains are served."""
        return {"ok": True, "version": trimtab.__version__, "domains": client.domains}

    return app
