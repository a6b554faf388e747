"""Bundles: released weights as a folder whose manifest names every byte.

A bundle is a folder of ``manifest.json``, ``card.md`` and the weights (ONNX, safetensors, JSON).
The manifest is canonical JSON (sorted keys, no spaces, UTF-8) and holds no time, so packing the
same things with the same versions gives the same bytes and the same id. Nothing is ever changed in
place: a bundle appears whole under its name, or not at all.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from trimtab.errors import BundleError
from trimtab.records import Bundle
from trimtab.release.manifest import CARD, MANIFEST, check_name, new_manifest, read_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedBundle:
    """A verified bundle on disk.

    Attributes:
        bundle: its record.
        spec: what the trainer wrote for whoever builds the agent.
        folder: where it lies.
    """

    bundle: Bundle
    spec: Mapping[str, Any]
    folder: Path

    def read(self, name: str) -> bytes:
        """Return the bytes of a file, verified again as they are read.

        Raises:
            BundleError: the bundle has no such file, or it was altered since.
        """
        if name not in self.bundle.files:
            raise BundleError(
                f"{self.folder}: no file {name!r} in the bundle; it has {sorted(self.bundle.files)}"
            )
        return _verified(self.folder, name, self.bundle.files[name])


def pack(
    folder: Path,
    *,
    domain: str,
    files: Mapping[str, bytes],
    thresholds: Mapping[str, float],
    metrics: Mapping[str, float],
    card: str,
    spec: Mapping[str, Any],
    parent: str | None = None,
) -> Bundle:
    """Write a bundle and return its record; where the same bundle already lies, only return it.

    The files are written beside ``folder``, synced, and renamed to it in one step.

    Args:
        folder: must not exist, or be empty, or hold this very bundle.
        domain: name of the domain that it answers.
        files: bytes by flat file name.
        thresholds: fitted cut-offs in [0, 1], by name; they hold for these files only.
        metrics: finite figures, by name.
        card: the model card, Markdown.
        spec: plain JSON values that say how to build the agent from the files.
        parent: id of the bundle that it was trained from.

    Raises:
        BundleError: an argument cannot be used, the folder holds something else, or it cannot be
            written; nothing is left behind.
    """
    folder = Path(folder)
    _check_names(folder, files)
    contents = {**files, CARD: card.encode("utf-8")}
    contents[MANIFEST] = new_manifest(
        folder,
        domain=domain,
        contents=contents,
        thresholds=thresholds,
        metrics=metrics,
        spec=spec,
        parent=parent,
    )
    if _is_free(folder):
        _write(folder, contents)
    return _present(folder, hashlib.sha256(contents[MANIFEST]).hexdigest())


def load(folder: Path, *, domain: str | None = None) -> LoadedBundle:
    """Return a bundle after verifying its manifest and every file.

    Args:
        folder: the bundle's folder.
        domain: the domain that it must be made for; None takes any.

    Raises:
        BundleError: it is absent, incomplete, altered, newer than this trimtab or made for another
            domain; the message names the file and the remedy.
    """
    folder = Path(folder)
    bundle, manifest = read_manifest(folder)
    if domain is not None and bundle.domain != domain:
        raise BundleError(
            f"{folder / MANIFEST}: domain={bundle.domain!r}, not {domain!r}; load a bundle that "
            f"was trained for {domain!r}"
        )
    expected = {MANIFEST, *manifest["files"]}
    for present in sorted(folder.iterdir()):
        if present.name not in expected:
            raise BundleError(
                f"{present} does not belong to the bundle; remove it, a bundle holds {MANIFEST} "
                f"and what that names"
            )
    for name, entry in sorted(manifest["files"].items()):
        _verified(folder, name, entry["sha256"], size=entry["size"])
    return LoadedBundle(bundle=bundle, spec=manifest["spec"], folder=folder)


def load_shipped(name: str) -> LoadedBundle:
    """Return a bundle that comes with the package, verified like any other.

    Raises:
        BundleError: none of that name is shipped, or it was altered.
    """
    home = Path(str(resources.files("trimtab") / "shipped" / "bundles"))
    names = sorted(path.parent.name for path in home.glob(f"*/{MANIFEST}"))
    if name not in names:
        raise BundleError(f"no bundle {name!r} is shipped; use one of {names}")
    return load(home / name)


def _check_names(folder: Path, files: Mapping[str, bytes]) -> None:
    taken = {MANIFEST, CARD}
    for name in files:
        check_name(folder, name)
        if name.lower() in taken:
            raise BundleError(
                f"{folder}: file name {name!r} is reserved or differs from another only in case; "
                f"rename it"
            )
        taken.add(name.lower())


def _verified(folder: Path, name: str, sha256: str, *, size: int | None = None) -> bytes:
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"{path} is missing or no plain file; copy the bundle again")
    found = path.stat().st_size
    if size is not None and found != size:
        raise BundleError(
            f"{path} has {found:,} bytes, the manifest says {size:,}; copy the bundle again"
        )
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise BundleError(
            f"{path} was altered (sha256 {digest[:12]}…, the manifest says {sha256[:12]}…); copy "
            f"the bundle again"
        )
    return content


def _is_free(folder: Path) -> bool:
    """Return whether a bundle may be put here; raises where something else lies."""
    if not folder.exists() and not folder.is_symlink():
        return True
    if not folder.is_dir():
        raise BundleError(f"{folder} is a file; give a folder that does not exist yet")
    present = sorted(path.name for path in folder.iterdir())
    if present and MANIFEST not in present:
        raise BundleError(
            f"{folder} holds {present[:5]}, which is no bundle; give a folder that does not exist "
            f"yet"
        )
    return not present


def _present(folder: Path, bundle_id: str) -> Bundle:
    """Return the record of the bundle that lies here, which must be the one meant."""
    bundle = load(folder).bundle
    if bundle.bundle_id != bundle_id:
        raise BundleError(
            f"{folder} holds another bundle ({bundle.bundle_id[:12]}…, not {bundle_id[:12]}…); "
            f"bundles are never replaced in place, give another folder or remove this one"
        )
    return bundle


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    partial = folder.parent / f".{folder.name}.{secrets.token_hex(8)}.partial"
    try:
        partial.mkdir(parents=True)
        for name, content in contents.items():
            with (partial / name).open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        _sync_folder(partial)
        _rename(partial, folder)
        _sync_folder(folder.parent)
    except OSError as error:
        raise BundleError(
            f"{folder} cannot be written ({error.strerror or error}); free space or give another "
            f"folder"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _rename(partial: Path, folder: Path) -> None:
    try:
        partial.rename(folder)
    except OSError as error:
        # another process was first: the caller compares what lies there now
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise


def _sync_folder(folder: Path) -> None:
    """Make the folder's entries durable, where the platform can open folders (not on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
