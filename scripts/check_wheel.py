"""Checks, inside an environment that holds the wheel, that all it needs came with it.

Arguments: the package's folder in the repository, and the environment's folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import trimtab
from trimtab.app.serving import shipped_bundle
from trimtab.datasets.tables import shipped, shipped_names
from trimtab.pricing import load_prices
from trimtab.release.bundle import load
from trimtab.settings import load_settings


def main() -> None:
    """Exit with a message if a file is absent or something is read from elsewhere."""
    sources, environment = (Path(argument).resolve() for argument in sys.argv[1:])
    package = Path(trimtab.__file__).resolve().parent
    if not package.is_relative_to(environment):
        sys.exit(f"trimtab was imported from {package}, which is outside {environment}")
    other = [name for name in _files(sources) if not _same(sources / name, package / name)]
    if other:
        sys.exit(f"the wheel lacks, or has other bytes than the repository in: {other}")
    for name in shipped_names():
        table = shipped(name)
        bundle = load(shipped_bundle(name), domain=name).bundle
        sys.stdout.write(
            f"{name}: {len(table.train)} + {len(table.test)} texts, "
            f"bundle {bundle.bundle_id[:12]} with {len(bundle.files)} files\n"
        )
    sys.stdout.write(f"prices of {len(load_prices(load_settings()))} models\n")


def _files(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return [
        path.relative_to(folder).as_posix() for path in paths if "__pycache__" not in path.parts
    ]


def _same(source: Path, installed: Path) -> bool:
    return installed.is_file() and installed.read_bytes() == source.read_bytes()


if __name__ == "__main__":
    main()
