"""The demo on its shipped data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from trimtab.app.demo import Demo
from trimtab.app.demo_texts import EARN, RECORDED, STREAM
from trimtab.errors import ConfigError
from trimtab.ledger import SqliteLedger
from trimtab.settings import load_settings


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    run = Demo(
        folder=tmp_path_factory.mktemp("demo"),
        settings=load_settings(),
        progress=lambda line: None,
        recorded=True,
    )
    run.start()
    run.run("stream")
    run.run("llm")
    run.run("earn")
    yield run
    run.close()


def test_stream_answers_every_test_request(demo: Demo) -> None:
    rows = [decision for decision, _ in demo.client.ledger.scan(domain=STREAM)]
    assert [row.state for row in rows] == [row.text for row in demo.table.test]
    assert all(row.route.agent == "policy" for row in rows)


def test_simulated_expert_stays_under_its_own_name(demo: Demo) -> None:
    tiers = {
        prediction.tier
        for decision, _ in demo.client.ledger.scan(domain=EARN)
        for prediction in decision.predictions
        if prediction.agent == "llm"
    }
    assert tiers == {"simulated:0.95"}


def test_recorded_answers_are_called_so(demo: Demo) -> None:
    rows = [decision for decision, _ in demo.client.ledger.scan(domain=RECORDED)]
    assert len(rows) == 40
    assert {row.route.reason for row in rows} == {"uncertified"}


def test_report_names_simulation_and_never_mixes_it_in(demo: Demo) -> None:
    written = demo.run("report")
    document = json.loads(Path(written["json"]).read_text(encoding="utf-8"))
    simulated = {domain["domain"]: domain["simulated"] for domain in document["domains"]}
    assert simulated == {STREAM: False, RECORDED: False, EARN: True}
    [earned] = [domain for domain in document["domains"] if domain["simulated"]]
    tiers = [route["route"] for route in earned["routes"] if route["route"].startswith("llm")]
    assert all("simulated" in tier for tier in tiers)
    assert tiers


def test_folder_of_somebody_else_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    run = Demo(folder=tmp_path, settings=load_settings(), progress=lambda line: None)
    with pytest.raises(ConfigError, match="empty or a new one"):
        run.start()
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_demo_ledger_verifies(demo: Demo) -> None:
    demo.client.flush()
    with SqliteLedger(demo.ledger_file, create=False) as ledger:
        assert ledger.verify() > len(demo.table.test)


def test_shipped_bundle_is_what_the_demo_trains(demo: Demo) -> None:
    from trimtab.app.serving import shipped_bundle
    from trimtab.release.bundle import load

    shipped = load(shipped_bundle("assistant")).bundle
    trained = load(demo.bundle).bundle
    assert shipped.files.keys() == trained.files.keys()
    # weights may differ in the last bit between machines; what was measured must not
    for name, value in shipped.metrics.items():
        assert trained.metrics[name] == pytest.approx(value, abs=0.02)
