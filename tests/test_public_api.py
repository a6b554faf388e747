"""What `import trimtab` promises."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import trimtab


@pytest.mark.parametrize("name", trimtab.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(trimtab, name) is not None


def test_public_names_are_those_of_their_homes() -> None:
    from trimtab.errors import TrimtabError
    from trimtab.records import Decision

    assert trimtab.TrimtabError is TrimtabError
    assert trimtab.Decision is Decision


def test_dir_lists_the_public_names_in_order() -> None:
    assert dir(trimtab) == sorted(trimtab.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Trimtabb'"):
        trimtab.Trimtabb  # noqa: B018  # the look-up is the test


def test_the_version_has_three_numbers() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.?(a|b|rc|dev)\d+)?", trimtab.__version__)


@pytest.mark.parametrize("package", ["models", "graphs", "training"])
def test_heavy_packages_re_export_nothing(package: str) -> None:
    module = importlib.import_module(f"trimtab.{package}")
    public = [name for name in vars(module) if not name.startswith("_")]
    submodules = {path.stem for path in Path(module.__path__[0]).glob("*.py")}
    assert set(public) <= submodules


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(trimtab.__file__).parent / "py.typed").exists()
