"""How commands print: people read stderr and tables, programs read the last line of stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

console = Console(stderr=True, highlight=False)


def emit(document: Mapping[str, Any], *, schema: str) -> None:
    """Print one JSON object with its schema version as the last line of stdout."""
    line = json.dumps({"schema": schema, **document}, allow_nan=False)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
