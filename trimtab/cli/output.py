"""How commands print: people read stderr and tables, programs read the last line of stdout."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

console = Console(stderr=True, highlight=False)


def emit(document: Mapping[str, Any], *, schema: str) -> None:
    """Print one JSON object with its schema version as the last line of stdout."""
    line = json.dumps({"schema": schema, **document}, allow_nan=False)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Print words of others on stdout; what would steer a terminal shows as �."""
    sys.stdout.write(_CONTROL.sub("\ufffd", text) + "\n")
