"""Every relative link of every document leads to a file of the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# folders of the tree that hold documents: what lies elsewhere (.venv, runs) is not ours
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("trimtab/**/*.md")]
)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)|src=\"(?P<source>[^\"]+)\"")
ELSEWHERE = re.compile(r"^[a-z][a-z+.-]*:|^#")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def _targets(document: Path) -> list[str]:
    prose = FENCE.sub("", document.read_text(encoding="utf-8"))
    found = (match["target"] or match["source"] for match in LINK.finditer(prose))
    return [target.split("#")[0] for target in found if not ELSEWHERE.match(target)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(document: Path) -> None:
    broken = [target for target in _targets(document) if not (document.parent / target).exists()]
    assert broken == []


def test_the_readme_is_among_the_documents() -> None:
    assert ROOT / "README.md" in DOCUMENTS


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text(
        "[x](b.md#top) ![y](c.png) [z](https://a.example) [w](#here)\n```\n[v](d)\n```\n"
    )
    assert _targets(document) == ["b.md", "c.png"]


def test_every_target_of_the_makefile_has_a_line_of_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    described = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(phony[1].split()) <= set(described)
