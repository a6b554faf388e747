import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trimtab.cli.data import data_app
from trimtab.datasets.tables import read_table
from trimtab.errors import InputError

runner = CliRunner()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "copy.csv"
    path.write_text("split,text,intent\ntrain,x,a\ntest,y,b\n", encoding="utf-8")
    return path


def test_get_writes_the_table_and_shows_the_licence_on_stderr(tmp_path: Path, copy: Path) -> None:
    out = tmp_path / "out"
    done = runner.invoke(data_app, ["get", "clinc150", "--from", str(copy), "--out", str(out)])
    assert done.exit_code == 0
    assert done.stdout.strip() == str(out / "clinc150.jsonl.gz")
    assert "CC BY 3.0" in done.stderr
    assert "Larson" in done.stderr
    assert len(read_table(out / "clinc150.jsonl.gz", label_column="intent")) == 2


def test_get_prints_one_object_as_json(tmp_path: Path, copy: Path) -> None:
    out = tmp_path / "out"
    done = runner.invoke(
        data_app, ["get", "clinc150", "--from", str(copy), "--out", str(out), "--json"]
    )
    document = json.loads(done.stdout.splitlines()[-1])
    assert document["schema"] == "trimtab.data/1"
    assert document["rows"] == 2


def test_show_tells_where_a_public_table_comes_from() -> None:
    done = runner.invoke(data_app, ["show", "clinc150", "--json"])
    document = json.loads(done.stdout)
    assert document["url"].endswith("data_full.json")
    assert len(document["sha256"]) == 64


def test_show_of_an_unknown_name_is_an_input_error() -> None:
    done = runner.invoke(data_app, ["show", "banking"])
    assert isinstance(done.exception, InputError)
    assert "clinc150" in str(done.exception)
