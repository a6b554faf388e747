"""The demo's folder, and how a run of it tells what it is doing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from trimtab.errors import ConfigError

MARKER = ".trimtab-demo"
"""File that tells a folder of the demo from any other."""

Progress = Callable[[str], None]
Track = Callable[[Iterable[Any], str, int], Iterable[Any]]


def plain_track(items: Iterable[Any], title: str, total: int) -> Iterable[Any]:
    """Return the items as they are, without a progress bar."""
    return items


def clear(folder: Path, made: Iterable[Path]) -> None:
    """Remove what an earlier run of the demo left in its folder.

    Args:
        folder: of the demo; made where it is missing.
        made: folders that a run makes in it.

    Raises:
        ConfigError: the folder holds something else, or cannot be written.
    """
    marker = folder / MARKER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not marker.exists():
            raise ConfigError(
                f"--out {folder} holds files that no demo wrote, and a demo starts by "
                "clearing its folder; give an empty or a new one"
            )
        marker.touch()
        for old in made:
            shutil.rmtree(old, ignore_errors=True)
        for file in folder.glob("ledger.sqlite*"):
            file.unlink()
    except OSError as error:
        raise ConfigError(f"--out {folder} cannot be used ({error.strerror})") from error
