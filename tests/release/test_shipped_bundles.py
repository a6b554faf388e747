"""What is shipped speaks of itself alone."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from trimtab.release.bundle import load

HOME = Path(str(resources.files("trimtab") / "shipped" / "bundles"))
BUNDLES = sorted(path.parent for path in HOME.glob("*/manifest.json"))


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: folder.name)
def test_a_shipped_bundle_names_no_file_of_the_machine_that_made_it(folder: Path) -> None:
    bundle = load(folder)
    for name in bundle.bundle.files:
        content = bundle.read(name)
        assert b"site-packages" not in content, name
        assert b'File "/' not in content, name
