"""The command line as a user runs it: exit codes, last lines, messages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def trimtab(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trimtab", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_version(tmp_path: Path) -> None:
    done = trimtab("--version", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("trimtab 0.")


def test_decide_prints_the_answer_last(tmp_path: Path) -> None:
    done = trimtab("decide", "what is 12 percent of 80", "--mode", "neural_only", cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "calculate"


def test_decide_prints_one_json_object(tmp_path: Path) -> None:
    done = trimtab(
        "decide", "make 24 from 1 2 3 4", "--mode", "neural_only", "--json", cwd=tmp_path
    )
    document = json.loads(done.stdout.splitlines()[-1])
    assert document["schema"] == "trimtab.decision/1"
    assert document["answer"] == "game_of_24"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("decide", " "), "text"),
        (("decide", "hello", "--domain", "nowhere"), "nowhere"),
        (("train", "--table", "absent.csv", "--domain", "x", "--out", "b"), "absent.csv"),
        (("decide", "hello", "--bundle", "absent"), "absent"),
        (("serve", "--host", "192.0.2.1"), "192.0.2.1"),
        (("demo", "--only", "everything"), "everything"),
        (("report", "--ledger", "absent.sqlite"), "absent.sqlite"),
        (("play", "connect-four", "--llm", "--bundle", "net"), "bundle=net with --llm"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = trimtab(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_own_table_makes_a_domain(tmp_path: Path) -> None:
    table = tmp_path / "desk.csv"
    rows = [
        f"{text} {place},{label}"
        for label, texts in {
            "refund": ("please pay my money back for order", "I want a refund of item"),
            "delivery": ("where is the parcel with number", "my delivery has not come to house"),
        }.items()
        for text in texts
        for place in ("one", "two", "three", "four", "five", "six")
    ]
    table.write_text("\n".join(["question,team", *rows]) + "\n", encoding="utf-8")
    made = trimtab(
        *("train", "--table", "desk.csv", "--domain", "desk", "--out", "bundle"),
        *("--text-column", "question", "--label-column", "team"),
        cwd=tmp_path,
    )
    assert made.returncode == 0, made.stderr
    done = trimtab(
        *("decide", "where is my parcel", "--domain", "desk", "--bundle", "bundle"),
        *("--mode", "neural_only"),
        cwd=tmp_path,
    )
    assert done.stdout.splitlines()[-1] == "delivery"


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("numba", "search", ("play", "connect-four")),
        ("numba", "search", ("bench", "rave")),
        ("torch", "train", ("train", "connect-four", "--out", "net")),
    ],
)
def test_a_command_without_its_extra_names_the_install_line(
    tmp_path: Path, module: str, extra: str, arguments: tuple[str, ...]
) -> None:
    absent = f"raise ModuleNotFoundError({module!r}, name={module!r})\n"
    (tmp_path / f"{module}.py").write_text(absent, encoding="utf-8")
    done = trimtab(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"trimtab[{extra}]" in done.stderr
