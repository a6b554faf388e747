"""Tables of recorded answers: what they hold, in every format, and what cannot be read."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trimtab.datasets.recorded import (
    COLUMNS,
    read_recorded,
    recorded_answers,
    recorded_questions,
    recorded_steps,
)
from trimtab.errors import InputError

Row = dict[str, object]
ALL = (*COLUMNS, "out_tokens")


def rows_of(**change: object) -> list[Row]:
    """Return two models' answers to two questions; ``change`` replaces cells of the last row."""
    plain: list[tuple[object, ...]] = [
        (1, "sums", "one and one?", "small", "2", True, 0.001, 3),
        (2, "sums", "two and two?", "small", None, False, 0.001, 9),
        (1, "sums", "one and one?", "large", "2", True, 0.01, 4),
        (2, "sums", "two and two?", "large", "4", True, 0.02, 5),
    ]
    rows: list[Row] = [dict(zip(ALL, cells, strict=True)) for cells in plain]
    return [*rows[:-1], {**rows[-1], **change}]


def as_jsonl(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def as_csv(path: Path, rows: list[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]) if rows else ALL)
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_parquet(path: Path, rows: list[Row]) -> Path:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    levels = pa.array(["sums", "never used"])
    category = pa.DictionaryArray.from_arrays(pa.array([0] * len(rows), pa.int8()), levels)
    table = pa.table({**columns, "category": category})
    pq.write_table(table, path)
    return path


WRITERS = {".jsonl": as_jsonl, ".csv": as_csv, ".parquet": as_parquet}


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_every_format_holds_the_same(tmp_path: Path, suffix: str) -> None:
    table = read_recorded(WRITERS[suffix](tmp_path / f"t{suffix}", rows_of()))
    assert table.ids == ("1", "2")
    assert table.texts == ("one and one?", "two and two?")
    assert table.categories == ("sums", "sums")
    assert table.models == ("large", "small")
    questions, (small, large) = table.select(["small", "large"])
    assert questions == (0, 1)
    assert small.answers == ("2", None)
    assert small.correct.tolist() == [True, False]
    assert large.cost_usd.tolist() == [0.01, 0.02]
    assert large.out_tokens.tolist() == [4.0, 5.0]


def test_content_hash_does_not_depend_on_order_or_format(tmp_path: Path) -> None:
    forward = read_recorded(as_jsonl(tmp_path / "a.jsonl", rows_of()))
    backward = read_recorded(as_csv(tmp_path / "b.csv", rows_of()[::-1]))
    assert forward.content_hash == backward.content_hash
    renamed = [{**row, "question_id": f"q{row['question_id']}"} for row in rows_of()]
    other = read_recorded(as_jsonl(tmp_path / "c.jsonl", renamed))
    assert other.content_hash != forward.content_hash


def test_only_questions_that_all_models_answered_are_selected(tmp_path: Path) -> None:
    table = read_recorded(as_jsonl(tmp_path / "t.jsonl", rows_of()[1:]))
    questions, (small, large) = table.select(["small", "large"])
    assert [table.ids[i] for i in questions] == ["2"]
    assert len(small.answers) == len(large.answers) == 1


def test_an_unknown_model_is_named_with_those_present(tmp_path: Path) -> None:
    table = read_recorded(as_jsonl(tmp_path / "t.jsonl", rows_of()))
    with pytest.raises(InputError, match=r"no model \['huge'\]; use some of \['large', 'small'\]"):
        table.select(["small", "huge"])


def test_a_model_cannot_take_two_parts(tmp_path: Path) -> None:
    table = read_recorded(as_jsonl(tmp_path / "t.jsonl", rows_of()))
    with pytest.raises(InputError, match="name one twice"):
        table.select(["small", "small"])


def test_models_without_a_common_question_are_an_error(tmp_path: Path) -> None:
    table = read_recorded(as_jsonl(tmp_path / "t.jsonl", rows_of()[1:3]))
    with pytest.raises(InputError, match="no question has answers of all"):
        table.select(["small", "large"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"question_id": 1}, "differs from that of question '1'"),
        ({"question_id": 1, "text": "one and one?"}, "'large' answers '1' twice"),
        ({"question_id": None}, "'question_id': None"),
        ({"text": " "}, "'text': ' '"),
        ({"model": True}, "'model': True"),
        ({"correct": "maybe"}, "'correct': 'maybe' is neither true nor false"),
        ({"correct": None}, "'correct': None is neither"),
        ({"cost_usd": -1.0}, "'cost_usd': -1.0"),
        ({"cost_usd": "inf"}, "'cost_usd': 'inf'"),
        ({"out_tokens": "many"}, "'out_tokens': 'many'"),
    ],
)
def test_a_bad_cell_is_named_with_its_line(
    tmp_path: Path, change: dict[str, object], named: str
) -> None:
    path = as_jsonl(tmp_path / "t.jsonl", rows_of(**change))
    with pytest.raises(InputError, match=f"line 4: column {named}|line 4: column.*{named}"):
        read_recorded(path)


def test_a_model_without_prices_may_stand_in_the_table_but_not_take_part(tmp_path: Path) -> None:
    table = read_recorded(as_csv(tmp_path / "t.csv", rows_of(cost_usd=None)))
    assert len(table.select(["small"])[0]) == 2
    with pytest.raises(InputError, match=r"1 answers of 'large' have no price.*leave the"):
        table.select(["small", "large"])


def test_models_whose_seconds_are_not_all_recorded_are_known(tmp_path: Path) -> None:
    rows = [{**row, "latency_s": 0.5} for row in rows_of(latency_s=None)]
    rows[-1]["latency_s"] = None
    table = read_recorded(as_csv(tmp_path / "t.csv", rows))
    assert table.untimed == {"large"}
    assert table.restricted(["small"]).untimed == frozenset()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_category_need_not_be_recorded(tmp_path: Path, suffix: str) -> None:
    rows = [{**row, "category": None} for row in rows_of()]
    assert set(read_recorded(WRITERS[suffix](tmp_path / f"t{suffix}", rows)).categories) == {""}


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    rows = [{key: row[key] for key in row if key != "cost_usd"} for row in rows_of()]
    with pytest.raises(InputError, match=r"cost_usd.*has the columns question_id, category"):
        read_recorded(as_jsonl(tmp_path / "t.jsonl", rows))


def test_a_table_without_rows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no rows"):
        read_recorded(as_csv(tmp_path / "t.csv", []))


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_length_and_latency_need_not_be_recorded(tmp_path: Path, suffix: str) -> None:
    rows = [{key: row[key] for key in COLUMNS} for row in rows_of()]
    table = read_recorded(WRITERS[suffix](tmp_path / f"t{suffix}", rows))
    (large,) = table.select(["large"])[1]
    assert large.out_tokens.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_a_latency_is_read_where_it_is_recorded(tmp_path: Path, suffix: str) -> None:
    rows = [{**row, "latency_s": 0.5} for row in rows_of()]
    table = read_recorded(WRITERS[suffix](tmp_path / f"t{suffix}", rows))
    assert recorded_answers(table, "large")["two and two?"].latency_s == 0.5


def test_steps_agree_where_their_answers_are_equal(tmp_path: Path) -> None:
    table = read_recorded(as_jsonl(tmp_path / "t.jsonl", rows_of()))
    steps = recorded_steps(table.select(["small", "large"])[1])
    assert (steps.codes[0] == steps.codes[1]).tolist() == [True, False]
    assert steps.codes[0, 1] < 0
    assert steps.correct.tolist() == [[True, False], [True, True]]


def test_the_questions_are_a_domain_that_knows_what_was_right(tmp_path: Path) -> None:
    domain = recorded_questions(read_recorded(as_jsonl(tmp_path / "t.jsonl", rows_of())))
    assert domain.check(domain.from_text("two and two?"), "4") == 1.0


def test_two_questions_of_one_text_are_no_domain(tmp_path: Path) -> None:
    rows = [{**row, "text": "the same"} for row in rows_of()]
    table = read_recorded(as_jsonl(tmp_path / "t.jsonl", rows))
    with pytest.raises(InputError, match="two questions read 'the same'"):
        recorded_questions(table)


def test_an_answer_that_is_right_and_wrong_is_named(tmp_path: Path) -> None:
    rows = [*rows_of()[:3], {**rows_of()[0], "model": "other", "correct": False}]
    table = read_recorded(as_jsonl(tmp_path / "t.jsonl", rows))
    with pytest.raises(InputError, match="'2' to 'one and one\\?' is right in one row"):
        recorded_questions(table)
