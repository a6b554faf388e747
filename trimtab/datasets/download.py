"""Public tables: fetched from their project's own site, or read from a local copy.

Each table states the sha256 of its original file where one was computed on that file at the pinned
revision. Where none is stated, the first download is trusted and its sha256 is written beside the
result (``<original>.sha256``); later downloads into the same folder must match it.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import io
import json
import os
import re
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trimtab.datasets.tables import SUFFIXES, LabelledText, read_table
from trimtab.domains.texts import text_problem
from trimtab.errors import InputError

MAX_BYTES = 64 * 2**20
_COLUMNS = ("split", "text", "intent")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTable:
    """A public table and what must be said of it.

    Attributes:
        name: its name on the command line; the result is ``<name>.jsonl.gz``.
        url: the original file, at a pinned revision.
        sha256: of the original file, in hex; None where none was computed on it.
        licence: short name of its licence.
        attribution: whom to name, and for what.
        splits: names of its splits.
        reshape: original bytes -> rows; raises ``InputError``.
    """

    name: str
    url: str
    sha256: str | None
    licence: str
    attribution: str
    splits: frozenset[str]
    reshape: Callable[[bytes], list[LabelledText]]

    @property
    def original(self) -> str:
        """Return the original file's name."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedTable:
    """A table on disk: JSON lines with the columns split, text and intent.

    ``sha256`` is the original's, or None where a table that was already reshaped was read.
    """

    name: str
    path: Path
    rows: int
    sha256: str | None
    licence: str
    attribution: str


def get(name: str, *, out: Path, source: Path | None = None) -> FetchedTable:
    """Write a public table to ``out`` and return what was written; see :func:`fetch`.

    Raises:
        InputError: no table of that name is known, or it cannot be had.
    """
    if name not in TABLES:
        raise InputError(f"name={name!r} is no table known here; use one of {sorted(TABLES)}")
    return fetch(TABLES[name], out=out, source=source)


def fetch(
    table: PublicTable, *, out: Path, source: Path | None = None, timeout_s: float = 60.0
) -> FetchedTable:
    """Write ``<name>.jsonl.gz`` whole or not at all; an older one is replaced in one step.

    Args:
        table: what to fetch.
        out: folder to write to; made if absent.
        source: the original file, or a table with the columns split, text and intent, on this
            machine; None downloads the original.
        timeout_s: limit of each wait for the network.

    Raises:
        InputError: it cannot be downloaded, read, or written, or is not the file it should be.
    """
    out = Path(out)
    digest: str | None = None
    if source is not None and source.name.lower().endswith(SUFFIXES):
        rows = read_table(source, text_column="text", label_column="intent", split_column="split")
    else:
        place = table.url if source is None else str(source)
        content = _download(table, timeout_s) if source is None else _local(source)
        digest = hashlib.sha256(content).hexdigest()
        _check_digest(table, place, digest, out)
        rows = table.reshape(content)
    unknown = sorted({row.split for row in rows} - table.splits)
    if unknown:
        raise InputError(
            f"{source or table.url}: splits {unknown[:5]} are not among {sorted(table.splits)} of "
            f"{table.name}; give the original file or a table with these splits"
        )
    path = out / f"{table.name}.jsonl.gz"
    _write(path, _packed(rows))
    if digest is not None and source is None:
        _write(_sidecar(table, out), f"{digest}  {table.original}\n".encode())
    return FetchedTable(
        name=table.name,
        path=path,
        rows=len(rows),
        sha256=digest,
        licence=table.licence,
        attribution=table.attribution,
    )


def _download(table: PublicTable, timeout_s: float) -> bytes:
    remedy = "try again, or download it elsewhere and pass --from FILE"
    if not table.url.startswith(("https://", "http://127.0.0.1:")):
        raise InputError(f"{table.url} is not an https address; {remedy}")
    try:
        # the scheme was checked above
        with urllib.request.urlopen(table.url, timeout=timeout_s) as response:  # noqa: S310
            content = bytes(response.read(MAX_BYTES + 1))
            length = response.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        error.close()
        raise InputError(f"{table.url} answered {error.code} {error.reason}; {remedy}") from error
    except (OSError, http.client.HTTPException) as error:
        raise InputError(f"{table.url} cannot be downloaded ({error}); {remedy}") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{table.url} has more than {MAX_BYTES:,} bytes; {remedy}")
    if length is not None and length.isdecimal() and int(length) != len(content):
        raise InputError(
            f"{table.url} broke off after {len(content):,} of {int(length):,} bytes; {remedy}"
        )
    return content


def _local(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise InputError(
            f"{source} cannot be read ({error.strerror}); pass the original file, or a table with "
            f"one of {list(SUFFIXES)}, to --from"
        ) from error


def _sidecar(table: PublicTable, out: Path) -> Path:
    return out / f"{table.original}.sha256"


def _check_digest(table: PublicTable, place: str, digest: str, out: Path) -> None:
    expected = table.sha256
    known_from = "the file at the pinned revision"
    sidecar = _sidecar(table, out)
    if expected is None and sidecar.is_file():
        words = sidecar.read_text(encoding="utf-8").split()
        expected = words[0] if words else ""
        known_from = f"{sidecar}, written at the first download"
        if not re.fullmatch(r"[0-9a-f]{64}", expected):
            raise InputError(f"{sidecar} holds no sha256; remove it to trust the next download")
    if expected is not None and digest != expected:
        raise InputError(
            f"{place} has sha256 {digest}, not {expected} of {known_from}; it was altered or is "
            f"another file, so get {table.original} again"
        )


def _packed(rows: Sequence[LabelledText]) -> bytes:
    buffer = io.BytesIO()
    # no time and no file name in the header: the same rows give the same bytes
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as stream:
        for row in rows:
            cells = dict(zip(_COLUMNS, (row.split, row.text, row.label), strict=True))
            stream.write(json.dumps(cells, ensure_ascii=False).encode("utf-8") + b"\n")
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise InputError(
            f"{path} cannot be written ({error.strerror}); free space or give another --out"
        ) from error


def _clinc150_rows(content: bytes) -> list[LabelledText]:
    try:
        plain = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"data_full.json is not JSON ({error}); get it again") from error
    if not isinstance(plain, Mapping):
        raise InputError("data_full.json is not an object of splits; get it again")
    rows: list[LabelledText] = []
    for split, pairs in plain.items():
        for number, pair in enumerate(pairs if isinstance(pairs, list) else [pairs], start=1):
            match pair:
                case [str(text), str(intent)] if intent.strip() and text_problem(text) is None:
                    rows.append(LabelledText(text, intent, split))
                case _:
                    raise InputError(
                        f"data_full.json: {split}: entry {number} is not a pair of a text and an "
                        f"intent; get it again"
                    )
    return rows


TABLES: Mapping[str, PublicTable] = {
    "clinc150": PublicTable(
        name="clinc150",
        url=(
            "https://raw.githubusercontent.com/clinc/oos-eval/"
            "828f8093932c8fe6ca7936c3d2e52903b1c523de/data/data_full.json"
        ),
        sha256="36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
        licence="CC BY 3.0",
        attribution=(
            "S. Larson et al., An Evaluation Dataset for Intent Classification and Out-of-Scope "
            "Prediction, EMNLP-IJCNLP 2019"
        ),
        splits=frozenset({"train", "val", "test", "oos_train", "oos_val", "oos_test"}),
        reshape=_clinc150_rows,
    )
}
