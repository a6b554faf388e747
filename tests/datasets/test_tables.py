import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.datasets.tables import (
    LabelledText,
    conflicts,
    read_table,
    references,
    shipped,
    shipped_names,
)
from trimtab.errors import InputError

ROWS = [
    LabelledText("pay me, please", "refund"),
    LabelledText('she said "hi"\nand left', "other"),
    LabelledText("wo ist mein Päckchen?", "delivery"),
]


def write_csv(
    path: Path, rows: list[LabelledText], header: tuple[str, ...] = ("text", "label")
) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows((row.text, row.label) for row in rows)
    return path


def write_lines(path: Path, rows: list[object]) -> Path:
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def objects(rows: list[LabelledText]) -> list[object]:
    return [{"text": row.text, "label": row.label} for row in rows]


def write_parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_csv_json_lines_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    paths = [
        write_csv(tmp_path / "a.csv", ROWS),
        write_lines(tmp_path / "a.jsonl", objects(ROWS)),
        write_lines(tmp_path / "a.jsonl.gz", objects(ROWS)),
        write_parquet(
            tmp_path / "a.parquet",
            text=[row.text for row in ROWS],
            label=[row.label for row in ROWS],
        ),
    ]
    assert [read_table(path) for path in paths] == [ROWS] * 4


def test_columns_and_splits_go_by_the_names_given(tmp_path: Path) -> None:
    path = tmp_path / "a.CSV"
    path.write_text("\ufeffsplit,intent,query,more\ntrain, a ,x,\ntest,b,y,\n", encoding="utf-8")
    rows = read_table(path, text_column="query", label_column="intent", split_column="split")
    assert rows == [LabelledText("x", "a", "train"), LabelledText("y", "b", "test")]


def test_whole_numbers_and_categories_are_labels(tmp_path: Path) -> None:
    lines = write_lines(
        tmp_path / "a.jsonl", [{"text": "x", "label": 0}, {"text": "y", "label": 1}]
    )
    assert [row.label for row in read_table(lines)] == ["0", "1"]
    numbers = write_parquet(tmp_path / "n.parquet", text=["x", "y"], label=pa.array([7, 8]))
    assert [row.label for row in read_table(numbers)] == ["7", "8"]
    words = pa.array(["a", "b", "a"]).dictionary_encode()
    categories = write_parquet(tmp_path / "c.parquet", text=["x", "y", "z"], label=words)
    assert [row.label for row in read_table(categories)] == ["a", "b", "a"]


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1).filter(
            lambda text: bool(text.strip()) and text not in ("nan", "NaN") and text[0] != "\ufeff"
        ),
        min_size=2,
        max_size=5,
    )
)
def test_any_texts_come_back_from_csv(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    rows = [LabelledText(text, f"label {i}") for i, text in enumerate(texts)]
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    assert read_table(write_csv(path, rows)) == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", r"column \['text', 'label'\] is missing; present: \[\]"),
        ("a.csv", b"text,label\n", "holds no rows"),
        ("a.csv", b"utterance,label\nx,a\n", r"\['text'\] is missing; present: \['utterance', "),
        ("a.csv", b"text,text,label\nx,y,a\n", r"\['text'\] occurs more than once"),
        ("a.csv", b"text,label\nx,a\ny,a\n", r"holds only \['a'\]"),
        ("a.csv", b"text,label\nx,a\n,b\n", "line 3: column 'text': text is empty"),
        ("a.csv", b"text,label\nx,a\ny,\n", "line 3: column 'label': empty"),
        ("a.csv", b"text,label\nx,a\ny,NaN\n", "line 3: column 'label': missing"),
        ("a.csv", b"text,label\nx,a\nnan,b\n", "line 3: column 'text': text is missing"),
        ("a.csv", b"text,label\nx,a\ny,z,b\n", "line 3: 3 cells under 2 columns"),
        ("a.csv", b"text,label\nx,a\ny\n", "line 3: 1 cells under 2 columns"),
        ("a.csv", b'text,label\nx,a\n"y,b\n', "line 3: unexpected end of data"),
        ("a.csv", b'text,label\nx,a\n"y"z,b\n', "line 3: "),
        ("a.csv", b"text,label\nx,a\n\xe4h,b\n", r"line 3: byte 1 of the line \(0xe4\)"),
        ("a.csv", b"text,label\nx,a\ny\0,b\n", "line 3: column 'text': text holds a NUL"),
        ("a.csv", b"text,label\nx,a\n" + b"y" * 10**6 + b",b\n", "line 3: field larger"),
        ("a.csv", b"text,label\nx,a\n" + b"y" * 10**5 + b",b\n", "line 3.*100,000 characters"),
        ("a.jsonl", b"", "holds no rows"),
        ("a.jsonl", b'{"text": "x", "label": "a"}\n{"text": \n', "line 2: not JSON"),
        ("a.jsonl", b'\n["x", "a"]\n', "line 2: a list, not an object"),
        ("a.jsonl", b'{"text": "x", "label": "a"}\n{"text": "y"}\n', r"line 2: column \['label'\]"),
        ("a.jsonl", b'{"text": "x", "label": NaN}\n', "line 1: column 'label': missing"),
        ("a.jsonl", b'{"text": null, "label": "a"}\n', "line 1: column 'text': text is missing"),
        ("a.jsonl", b'{"text": 3, "label": "a"}\n', "line 1: column 'text': text is a int"),
        ("a.jsonl", b'{"text": "x", "label": 1.0}\n', "1.0 is a float; write it as text"),
        ("a.jsonl", b'{"text": "x", "label": true}\n', "True is a bool; write it as text"),
        ("a.jsonl", b'{"text": "\\ud800", "label": "a"}\n', "lone surrogate at position 0"),
        ("a.jsonl", b'{"text": "' + b"y" * 10**6 + b'", "label": "a"}\n', "1,000,000 characters"),
        ("a.jsonl", b"[" * 100_000 + b"\n", "line 1: not JSON"),
        ("a.jsonl", b"\xff\xfe{\0", "line 1: byte 1 of the line"),
        ("a.jsonl.gz", b"no gzip", "cannot be read"),
        (
            "a.jsonl.gz",
            gzip.compress(b'{"text": "x", "label": "a"}\n', mtime=0)[:-6],
            "cannot be read",
        ),
        ("a.parquet", b"no parquet", "is not a readable Parquet file"),
        ("a.txt", b"text,label\nx,a\n", "none of the suffixes"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_a_missing_file_and_a_folder_are_input_errors(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name in ("missing.csv", "folder.csv"):
        with pytest.raises(InputError, match="is not a file"):
            read_table(tmp_path / name)


def test_parquet_without_the_column_names_those_present(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", utterance=["x"], label=["a"])
    with pytest.raises(InputError, match=r"present: \['utterance', 'label'\]"):
        read_table(path)


@pytest.mark.parametrize("label", [pa.array(["a", None]), pa.array([1.0, float("nan")])])
def test_parquet_nulls_and_nans_name_their_row(tmp_path: Path, label: pa.Array) -> None:
    path = write_parquet(tmp_path / "a.parquet", text=["x", "y"], label=label)
    with pytest.raises(InputError, match=r"row \d: column 'label'"):
        read_table(path)


def test_one_column_cannot_be_text_and_label(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name one column twice"):
        read_table(tmp_path / "a.csv", label_column="text")


def test_conflicts_are_equal_contents_with_several_labels() -> None:
    rows = [
        LabelledText("Hello", "a"),
        LabelledText("bye", "a"),
        LabelledText("hello ", "b"),
        LabelledText("bye", "a"),
    ]
    assert conflicts(rows) == {"hello": ("a", "b")}
    assert references(rows) == {"bye": "a"}


def test_an_unknown_shipped_name_lists_those_that_are() -> None:
    with pytest.raises(InputError, match="assistant"):
        shipped("../assistant")


def test_every_shipped_set_has_truth_for_its_texts_and_descriptions_for_its_labels() -> None:
    for name in shipped_names():
        table = shipped(name)
        unclear = conflicts((*table.train, *table.test))
        assert set(table.domain.descriptions) == set(table.domain.labels)
        assert {row.label for row in table.train} == set(table.domain.labels)
        for row in (*table.train, *table.test):
            state = table.domain.from_text(row.text)
            if not unclear:
                assert table.domain.check(state, row.label) == 1.0
