"""The bench of the text ladder on small tables: what is measured, and on which rows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.requests import LABELS, QUICK, embedders, requests
from trimtab.bench.choices import BARS, run
from trimtab.bench.choices_data import (
    is_clinc150,
    sample_per_label,
    shipped_table,
    texts_hash,
    user_table,
)
from trimtab.datasets.tables import LabelledText
from trimtab.errors import ConfigError, InputError

TRAIN = requests(16, seed=0)
TEST = [row for row in requests(12, seed=1) if row not in TRAIN]
OUTSIDE = ["sing a song", "paint the fence", "who won the match", "feed my cat"]
TIERS = ("static", "witness", "minilm")


def write(path: Path, rows: Sequence[LabelledText]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label", "split"])
        writer.writerows([row.text, row.label, row.split] for row in rows)
    return path


def split(rows: Sequence[LabelledText], name: str) -> list[LabelledText]:
    return [LabelledText(row.text, row.label, name) for row in rows]


def one_file(path: Path, *, validation: bool = True) -> Path:
    rows = split(TRAIN, "train") + split(TEST, "test")
    rows += split(requests(10, seed=2), "val") if validation else []
    rows += [LabelledText(text, "oos", "oos_test") for text in OUTSIDE]
    rows += [LabelledText("a text of another part", "oos", "oos_train")]
    return write(path, rows)


def table(train: Path, test: Path, **changes: Any) -> Any:
    settings: dict[str, Any] = {
        "text_column": "text",
        "label_column": "label",
        "split_column": "split",
        "oos_label": "oos",
        "per_label": None,
        "seed": 0,
    }
    return user_table(train, test, **(settings | changes))


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = one_file(tmp_path_factory.mktemp("tables") / "all.csv")
    return run(
        train=path,
        test=path,
        split_column="split",
        oos_label="oos",
        embedders=embedders(),
        config=QUICK,
    )


def test_every_tier_is_measured(result: dict[str, Any]) -> None:
    for tier in TIERS:
        for key in ("accuracy", "ece", "auroc_correct", "auroc_oos", "cpu_ms"):
            assert result["measures"][f"{tier}.{key}"]["value"] is not None
    assert result["n"] == len(TEST)
    assert result["data"] == "all.csv"


def test_the_ladder_and_its_cascade_are_measured(result: dict[str, Any]) -> None:
    measured = set(result["measures"])
    assert {"accuracy", "ece", "top3", "accepted_coverage", "agreement_gain"} <= measured
    assert {"cascade_60.accuracy_loss", "cascade_60.cpu_share", "known_in_train"} <= measured
    share = result["measures"]["static_answered"]["value"]
    assert share + result["measures"]["minilm_answered"]["value"] == pytest.approx(1.0)


def test_intervals_hold_their_values(result: dict[str, Any]) -> None:
    for key, measure in result["measures"].items():
        if measure["low"] is not None and measure["high"] is not None:
            assert measure["low"] - 1e-9 <= measure["value"] <= measure["high"] + 1e-9, key


def test_distance_to_training_is_told_by_quantiles(result: dict[str, Any]) -> None:
    keys = [f"nearest_cosine.p{q}" for q in ("05", "25", "50", "75", "95")]
    found = [result["measures"][key]["value"] for key in keys]
    assert found == sorted(found)
    assert found[-1] <= 1.001
    assert result["measures"]["nearest_cosine.within_train_p50"]["value"] < 1.0


def test_unknown_data_have_no_bars(result: dict[str, Any]) -> None:
    assert result["bars"] == {}


def test_bars_name_measures(result: dict[str, Any]) -> None:
    for bars in BARS.values():
        assert {bar.key for bar in bars} <= set(result["measures"])


def test_bare_session_is_only_measured_where_there_is_one(result: dict[str, Any]) -> None:
    assert result["measures"]["minilm.cpu_vs_bare"]["value"] is None


def test_out_of_scope_rows_are_no_class_and_only_those_of_test_count(tmp_path: Path) -> None:
    path = one_file(tmp_path / "all.csv")
    found = table(path, path)
    assert found.domain.labels == LABELS
    assert [row.text for row in found.out_of_scope] == OUTSIDE
    assert len(found.validation) > 0


def test_two_files_need_no_splits(tmp_path: Path) -> None:
    outside = [LabelledText(text, "oos") for text in OUTSIDE]
    train, test = write(tmp_path / "a.csv", TRAIN), write(tmp_path / "b.csv", TEST + outside)
    found = table(train, test, split_column=None)
    assert (len(found.train), len(found.test)) == (len(TRAIN), len(TEST))
    assert found.validation == ()
    assert len(found.out_of_scope) == len(OUTSIDE)


def test_test_texts_known_in_train_are_dropped_and_counted(tmp_path: Path) -> None:
    twin = LabelledText(TRAIN[0].text.upper(), TRAIN[0].label)
    train, test = write(tmp_path / "a.csv", TRAIN), write(tmp_path / "b.csv", [*TEST, twin])
    found = table(train, test, split_column=None)
    assert (len(found.test), found.known_in_train) == (len(TEST), 1)


def test_known_texts_are_the_same_for_every_sample(tmp_path: Path) -> None:
    twin = LabelledText(TRAIN[0].text, TRAIN[0].label)
    train, test = write(tmp_path / "a.csv", TRAIN), write(tmp_path / "b.csv", [*TEST, twin])
    tests = [table(train, test, split_column=None, per_label=n).test for n in (2, 16)]
    assert tests[0] == tests[1]


def test_sample_takes_as_many_of_each_label_by_seed() -> None:
    few = sample_per_label(TRAIN, 4, seed=0)
    assert {label: sum(row.label == label for row in few) for label in LABELS} == dict.fromkeys(
        LABELS, 4
    )
    assert few == sample_per_label(TRAIN, 4, seed=0) != sample_per_label(TRAIN, 4, seed=1)


def test_clinc150_is_told_by_content_not_by_name() -> None:
    rows = [LabelledText(f"text {i}", str(i % 150), "test") for i in range(4500)]
    assert not is_clinc150(rows, [str(i) for i in range(150)])
    assert texts_hash(rows) == texts_hash(rows[::-1])


def test_shipped_set_has_its_bars_only_when_whole() -> None:
    whole = shipped_table(per_label=None, seed=0)
    assert whole.bars == "shipped"
    assert whole.domain.out_of_scope in whole.domain.labels
    assert shipped_table(per_label=5, seed=0).bars == ""


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"split_column": None}, "--split-column"),
        ({"per_label": 0}, "--per-label 0"),
        ({"label_column": "split", "split_column": "label", "oos_label": None}, "name the splits"),
        ({"label_column": "intent"}, "intent"),
    ],
)
def test_table_that_cannot_be_used_is_refused(
    tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    path = one_file(tmp_path / "all.csv")
    with pytest.raises(InputError, match=match):
        table(path, path, **changes)


def test_test_label_without_training_text_is_refused(tmp_path: Path) -> None:
    odd = LabelledText("an ode to joy", "poetry")
    train, test = write(tmp_path / "a.csv", TRAIN), write(tmp_path / "b.csv", [*TEST, odd])
    with pytest.raises(InputError, match="poetry"):
        table(train, test, split_column=None)


def test_one_file_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--test"):
        run(train=write(tmp_path / "a.csv", TRAIN), embedders=embedders(), config=QUICK)
