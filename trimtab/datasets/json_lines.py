"""JSON lines, plain or gzipped, read object by object with the line each stands in."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from trimtab.errors import InputError


def json_objects(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield where each object of a ``.jsonl`` or ``.jsonl.gz`` file stands, and the object.

    Raises:
        InputError: the file or a line cannot be read.
    """
    path = Path(path)
    name = path.name.lower()
    if not name.endswith((".jsonl", ".jsonl.gz", ".json")):
        raise InputError(f"{path} is no .jsonl, .jsonl.gz or .json file of one object per line")
    if not path.is_file():
        raise InputError(f"{path} is not a file; check the path (here: {Path.cwd()})")
    try:
        with gzip.open(path) if name.endswith(".gz") else path.open("rb") as stream:
            yield from parsed(path, decoded(path, stream))
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}); check it or copy it again") from error


def decoded(path: Path, stream: IO[bytes] | gzip.GzipFile) -> Iterator[str]:
    """Yield the lines of a UTF-8 file as text, without a byte order mark."""
    for number, line in enumerate(stream, start=1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}: line {number}: byte {error.start + 1} of the line (0x"
                f"{line[error.start]:02x}) is not UTF-8; save the file as UTF-8"
            ) from error
        yield text.removeprefix("\ufeff") if number == 1 else text


def parsed(path: Path, lines: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield where each object stands (``line 3``), and the object; blank lines are skipped."""
    for number, line in enumerate(lines, start=1):
        if line.isspace():
            continue
        where = f"line {number}"
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise InputError(
                f"{path}: {where}: not JSON ({error}); write one object per line"
            ) from error
        if not isinstance(row, Mapping):
            raise InputError(
                f"{path}: {where}: a {type(row).__name__}, not an object; write one object per line"
            )
        yield where, row
