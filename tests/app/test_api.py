"""The HTTP service: its routes, what it says of bad requests, and whom it lets in."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.desk import TruthfulExpert, desk_serving, numbered_ids, ticking_clock
from trimtab import Trimtab
from trimtab.app.api import create_app
from trimtab.app.guard import MAX_BODY_BYTES
from trimtab.app.serve import check_address
from trimtab.errors import ConfigError, ContextOverflow, LLMUnavailable
from trimtab.ledger import SqliteLedger
from trimtab.records import decision_from_json
from trimtab.settings import load_settings

KEY = "s3cret-key"
HERE = "http://127.0.0.1:8765"
SURE = {"domain": "desk", "text": "where is my parcel"}


def service(
    client: Trimtab, *, key: str | None = None, caller: str = "127.0.0.1", url: str = HERE
) -> TestClient:
    app = create_app(lambda: client, key=lambda: key)
    return TestClient(app, base_url=url, client=(caller, 50_000))


def desk(ledger: SqliteLedger, folder: Path, error: Exception | None = None) -> Trimtab:
    return Trimtab(
        servings={"desk": desk_serving(TruthfulExpert(error))},
        ledger=ledger,
        settings=load_settings({"TRIMTAB_HOME": str(folder)}),
        new_id=numbered_ids(),
        now=ticking_clock(),
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def client(ledger: SqliteLedger, tmp_path: Path) -> Iterator[Trimtab]:
    with desk(ledger, tmp_path) as opened:
        yield opened


def test_decision_is_durable_when_it_is_answered(client: Trimtab) -> None:
    answer = service(client).post("/v1/decide", json=SURE)
    assert answer.status_code == 200
    decision = decision_from_json(answer.json())
    assert decision.answer == "delivery"
    assert client.ledger.get(decision.decision_id) == decision


def test_feedback_reaches_the_report(client: Trimtab) -> None:
    http = service(client)
    decision_id = http.post("/v1/decide", json=SURE).json()["decision_id"]
    said = http.post("/v1/feedback", json={"decision_id": decision_id, "answer": "refund"})
    assert said.json() == {"decision_id": decision_id, "reward": 0.0}
    [domain] = http.get("/v1/report", params={"domain": "desk"}).json()["domains"]
    assert domain["n"] == 1
    assert domain["quality"]["value"] == 0.0


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"text": "x"}, ["domain='assistant'", "desk"]),
        ({"domain": "desk"}, ["text", "missing", "send it"]),
        ({**SURE, "text": " "}, ["text"]),
        ({**SURE, "text": 7}, ["text=7", "string"]),
        ({**SURE, "mode": "fast"}, ["mode='fast'", "neural_only"]),
        ({**SURE, "budget_usd": -1}, ["budget_usd=-1", "greater than or equal to 0"]),
        ({**SURE, "budget_calls": 1.5}, ["budget_calls=1.5", "integer"]),
        ({**SURE, "spend_usd_per_1000": 1}, ["spend_usd_per_1000", "adaptive"]),
        ({**SURE, "colour": "red"}, ["colour='red'", "leave it out"]),
        ({**SURE, "text": "x" * 30_000}, ["30,000|30000|30_000"]),
        ([1, 2], ["body"]),
    ],
)
def test_bad_body_names_field_value_and_remedy(
    client: Trimtab, body: Any, named: list[str]
) -> None:
    answer = service(client).post("/v1/decide", json=body)
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    for part in named:
        assert any(option in detail for option in part.split("|")), detail
    assert len(detail) < 1_000


def test_body_that_is_no_json_is_named(client: Trimtab) -> None:
    answer = service(client).post(
        "/v1/decide", content=b'{"text": ', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert "JSON" in answer.json()["detail"]


def test_body_of_nan_is_refused_in_words(client: Trimtab) -> None:
    raw = b'{"domain": "desk", "text": "x", "budget_usd": NaN}'
    answer = service(client).post(
        "/v1/decide", content=raw, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert "budget_usd=nan" in answer.json()["detail"]


def test_long_body_is_refused_before_it_is_read_to_the_end(client: Trimtab) -> None:
    parts = (b"x" * 65_536 for _ in range(1_000))
    answer = service(client).post("/v1/decide", content=parts)
    assert answer.status_code == 413
    assert str(MAX_BODY_BYTES) in answer.json()["detail"]


def test_feedback_on_an_unknown_decision_is_a_conflict(client: Trimtab) -> None:
    answer = service(client).post("/v1/feedback", json={"decision_id": "d9", "reward": 1.0})
    assert answer.status_code == 409
    assert answer.json()["error"] == "LedgerError"


@pytest.mark.parametrize(
    ("error", "status"), [(LLMUnavailable("gone"), 503), (ContextOverflow("too long"), 422)]
)
def test_lost_llm_is_named(
    ledger: SqliteLedger, tmp_path: Path, error: Exception, status: int
) -> None:
    with desk(ledger, tmp_path, error) as client:
        answer = service(client).post("/v1/decide", json={**SURE, "mode": "llm_only"})
        metrics = service(client).get("/metrics").text
    assert answer.status_code == status
    assert answer.json()["error"] == type(error).__name__
    assert f'error="{type(error).__name__}"}} 1.0' in metrics


def test_metrics_count_the_decision(client: Trimtab) -> None:
    http = service(client)
    http.post("/v1/decide", json=SURE)
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert (
        'trimtab_decisions_total{domain="desk",reason="confident",route="policy"} 1.0'
        in answer.text
    )


def test_probes_answer_without_a_key_and_tell_nothing(client: Trimtab) -> None:
    http = service(client, key=KEY, caller="10.0.0.7", url="http://trimtab.example")
    assert http.get("/healthz").json()["ok"] is True
    assert http.get("/readyz").json() == {"ready": True}


def test_closed_ledger_is_not_ready(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "closed.sqlite")
    client = desk(ledger, tmp_path)
    ledger.close()
    answer = service(client).get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "error": "LedgerError"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Basic {KEY}"},
        {"authorization": "Bearer ключ".encode()},
        {"x-api-key": "other"},
    ],
)
def test_wrong_key_is_refused_and_named_nowhere(client: Trimtab, headers: Any) -> None:
    http = service(client, key=KEY)
    answers = [
        http.post("/v1/decide", json=SURE, headers=headers),
        http.get("/metrics", headers=headers),
        http.get("/openapi.json", headers=headers),
    ]
    assert {answer.status_code for answer in answers} == {401}
    for answer in answers:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert KEY not in answer.text
        assert "desk" not in answer.text


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}])
def test_key_opens_the_service_to_other_machines(client: Trimtab, headers: dict[str, str]) -> None:
    http = service(client, key=KEY, caller="10.0.0.7", url="http://trimtab.example")
    assert http.post("/v1/decide", json=SURE, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("caller", "url"),
    [
        ("10.0.0.7", HERE),
        ("::ffff:10.0.0.7", HERE),
        ("127.0.0.1", "http://rebound.example"),
        ("127.0.0.1", "http://localhost.example"),
    ],
)
def test_without_a_key_only_this_machine_is_served(client: Trimtab, caller: str, url: str) -> None:
    answer = service(client, caller=caller, url=url).post("/v1/decide", json=SURE)
    assert answer.status_code == 403
    assert "TRIMTAB_API_KEY" in answer.json()["detail"]


@pytest.mark.parametrize("url", ["http://localhost", "http://[::1]:1", "http://LOCALHOST:80"])
def test_own_names_of_this_machine_are_served(client: Trimtab, url: str) -> None:
    assert service(client, caller="::1", url=url).get("/metrics").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "trimtab.example"])
def test_address_beyond_loopback_needs_a_key(host: str) -> None:
    with pytest.raises(ConfigError, match="TRIMTAB_API_KEY"):
        check_address(host, 0, load_settings({}))


def test_address_beyond_loopback_is_bound_with_a_key() -> None:
    check_address("0.0.0.0", 0, load_settings({"TRIMTAB_API_KEY": KEY}))


def test_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port={port}"):
            check_address("127.0.0.1", port, load_settings({}))


@pytest.mark.parametrize("key", ["two words ", "ключ", "a\nb"])
def test_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="TRIMTAB_API_KEY") as refused:
        load_settings({"TRIMTAB_API_KEY": key})
    assert key not in str(refused.value)


def test_key_is_not_printed_with_the_settings() -> None:
    assert KEY not in repr(load_settings({"TRIMTAB_API_KEY": KEY}))
