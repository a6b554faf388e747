"""The manifest of a bundle: its form, its checks, and the hashes that tie it together.

A manifest is canonical JSON (sorted keys, no spaces, UTF-8) and holds no time, so the same bundle
packed with the same versions has the same bytes and the same id. ``fitted_on`` is a hash of the
domain, the spec and the weights: thresholds that were copied from another bundle do not match it.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from numbers import Real
from pathlib import Path
from typing import Any

from trimtab import __version__
from trimtab.errors import BundleError
from trimtab.records import Bundle

SCHEMA = "trimtab.bundle"
VERSION = 1
MANIFEST = "manifest.json"
CARD = "card.md"

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIELDS = {
    "created_with": dict,
    "domain": str,
    "files": dict,
    "fitted_on": str,
    "metrics": dict,
    "parent": str,
    "schema": str,
    "spec": dict,
    "thresholds": dict,
}


def new_manifest(
    folder: Path,
    *,
    domain: str,
    contents: Mapping[str, bytes],
    thresholds: Mapping[str, float],
    metrics: Mapping[str, float],
    spec: Mapping[str, Any],
    parent: str | None,
) -> bytes:
    """Return the manifest of a bundle to be written to ``folder``, as the bytes to be stored.

    Args:
        folder: where the bundle will lie; for messages only.
        domain: name of the domain that it answers.
        contents: bytes of every file by name, the card among them.
        thresholds: fitted cut-offs in [0, 1], by name.
        metrics: finite figures, by name.
        spec: plain JSON values.
        parent: id of the bundle that it was trained from, or None.

    Raises:
        BundleError: one of them cannot be used.
    """
    files = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in contents.items()
    }
    manifest: dict[str, Any] = {
        "schema": f"{SCHEMA}/{VERSION}",
        "domain": domain,
        "spec": dict(spec),
        "files": files,
        "thresholds": _floats(thresholds),
        "fitted_on": "",
        "metrics": _floats(metrics),
        "parent": parent,
        "created_with": _versions(),
    }
    _check_numbers(folder / MANIFEST, manifest)
    manifest["fitted_on"] = _weights_digest(folder, domain, spec, files, manifest["thresholds"])
    _check(folder / MANIFEST, manifest)
    return _canonical(folder, manifest)


def read_manifest(folder: Path) -> tuple[Bundle, dict[str, Any]]:
    """Return the record and the fields of a folder's manifest, after checking them.

    Raises:
        BundleError: it is absent, malformed, newer than this trimtab, or its thresholds were
            fitted on other weights.
    """
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file():
        raise BundleError(
            f"{folder} is no bundle: {MANIFEST} is missing; check the path, or write a bundle with "
            f"`trimtab train`"
        )
    content = path.read_bytes()
    try:
        manifest = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is not JSON ({error}); copy the bundle again") from error
    _check(path, manifest)
    fitted_on = _weights_digest(
        folder, manifest["domain"], manifest["spec"], manifest["files"], manifest["thresholds"]
    )
    if manifest["fitted_on"] != fitted_on:
        raise BundleError(
            f"{path}: thresholds were changed, or fitted on other weights (fitted_on="
            f"{manifest['fitted_on'][:12]}…, the files listed are {fitted_on[:12]}…); use the "
            f"manifest that was packed with these files"
        )
    return _record(content, manifest), manifest


def check_name(folder: Path, name: object) -> None:
    """Refuse a file name that could leave the folder or be hidden in it; raises ``BundleError``."""
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
        raise BundleError(
            f"{folder}: file name {name!r:.120} cannot be used; give letters, digits, '.', '_' and "
            f"'-', beginning with a letter or digit, without folders"
        )


def _check(path: Path, manifest: object) -> None:
    if not isinstance(manifest, dict):
        raise BundleError(f"{path} is not a JSON object; copy the bundle again")
    _check_schema(path, manifest.get("schema"))
    missing = [field for field in _FIELDS if field not in manifest]
    if missing:
        raise BundleError(f"{path}: fields {missing} are missing; pack the bundle again")
    _check_types(path, manifest)
    for name, entry in manifest["files"].items():
        check_name(path.parent, name)
        if not _is_entry(entry):
            raise BundleError(f"{path}: files[{name!r}] lacks sha256 or size; copy it again")
    _check_numbers(path, manifest)


def _check_numbers(path: Path, manifest: Mapping[str, Any]) -> None:
    for name, value in manifest["thresholds"].items():
        if not _is_finite(value) or not 0.0 <= value <= 1.0:
            raise BundleError(
                f"{path}: thresholds[{name!r}]={value!r} is not in [0, 1]; fit it again"
            )
    for name, value in manifest["metrics"].items():
        if not _is_finite(value):
            raise BundleError(
                f"{path}: metrics[{name!r}]={value!r} is not a finite number; leave out what was "
                f"not measured"
            )


def _check_schema(path: Path, schema: object) -> None:
    kind, _, version = str(schema).partition("/")
    if kind != SCHEMA or not version.isdecimal():
        raise BundleError(
            f"{path}: schema={schema!r:.80} is not {SCHEMA}/{VERSION}; this is not a bundle's "
            f"manifest"
        )
    if int(version) > VERSION:
        raise BundleError(
            f"{path}: schema version {version} is newer than {VERSION}, the newest that trimtab "
            f"{__version__} reads; upgrade trimtab"
        )


def _check_types(path: Path, manifest: Mapping[str, Any]) -> None:
    for field, kind in _FIELDS.items():
        value = manifest[field]
        if not isinstance(value, kind) and not (field == "parent" and value is None):
            raise BundleError(
                f"{path}: {field}={value!r:.80} is a {type(value).__name__}, not a "
                f"{kind.__name__}; pack the bundle again"
            )
    if not manifest["domain"].strip():
        raise BundleError(f"{path}: domain is empty; give the name of the domain it answers")
    for field in ("fitted_on", "parent"):
        value = manifest[field]
        if value is not None and not _SHA256.fullmatch(value):
            raise BundleError(
                f"{path}: {field}={value!r:.80} is not a sha256 in 64 hex digits; give a bundle's "
                f"id, or None for a parent that is none"
            )


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("sha256"), str)
        and _SHA256.fullmatch(entry["sha256"]) is not None
        and type(entry.get("size")) is int
        and entry["size"] >= 0
    )


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _floats(values: Mapping[str, float]) -> dict[str, Any]:
    """Return numbers (also numpy's) as floats, anything else as it is, for the check to refuse."""
    return {
        name: float(value) if isinstance(value, Real) and not isinstance(value, bool) else value
        for name, value in values.items()
    }


def _canonical(folder: Path, value: object) -> bytes:
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
        )
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(
            f"{folder}: the spec is not plain JSON ({error}); give str, bool, finite numbers, "
            f"None, and lists and str-keyed dicts of them"
        ) from error


def _weights_digest(
    folder: Path,
    domain: str,
    spec: Mapping[str, Any],
    files: Mapping[str, Mapping[str, Any]],
    thresholds: Mapping[str, float],
) -> str:
    """Return a hash that ties thresholds to what they were fitted on: files, spec and domain."""
    hashes = {name: entry["sha256"] for name, entry in files.items() if name != CARD}
    part = {
        "domain": domain,
        "spec": dict(spec),
        "files": hashes,
        "thresholds": dict(thresholds),
    }
    return hashlib.sha256(_canonical(folder, part)).hexdigest()


def _record(content: bytes, manifest: Mapping[str, Any]) -> Bundle:
    return Bundle(
        bundle_id=hashlib.sha256(content).hexdigest(),
        domain=manifest["domain"],
        files={name: entry["sha256"] for name, entry in manifest["files"].items()},
        thresholds=dict(manifest["thresholds"]),
        metrics=dict(manifest["metrics"]),
        parent=manifest["parent"],
    )


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"python": platform.python_version(), "trimtab": __version__}
    for package in ("numpy", "onnxruntime", "scikit-learn"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found
