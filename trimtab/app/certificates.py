"""Certificates kept as files: one for each domain, bundle and LLM."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from trimtab.agents.issued import Issued
from trimtab.errors import BundleError, ConfigError, InputError


class CertificateBook:
    """The certificates of a client, by domain, and the folder that keeps them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.issued: dict[str, Issued] = {}

    def load(self, domain: str, *, bundle_id: str, llm: str) -> Issued | None:
        """Return what is kept for a domain, its bundle and its LLM, None where there is nothing."""
        path = certificate_path(self._folder, domain=domain, bundle_id=bundle_id, llm=llm)
        if path.exists():
            self.issued[domain] = read_certificate(
                path, domain=domain, bundle_id=bundle_id, llm=llm
            )
        return self.issued.get(domain)

    def keep(self, issued: Issued) -> None:
        """Remember a certificate, and write it to the folder; ConfigError where that fails."""
        self.issued[issued.domain] = issued
        path = certificate_path(
            self._folder, domain=issued.domain, bundle_id=issued.bundle_id, llm=issued.llm
        )
        write_json(path, issued.to_json())

    def watch_path(self, domain: str, *, bundle_id: str, llm: str) -> Path:
        """Return the file beside a certificate that keeps the life of its promise."""
        return watch_path(
            certificate_path(self._folder, domain=domain, bundle_id=bundle_id, llm=llm)
        )


def certificate_path(folder: Path, *, domain: str, bundle_id: str, llm: str) -> Path:
    """Return the file that keeps the certificate of a domain, its bundle and its LLM."""
    return folder / f"{quote(domain, safe=' ')}-{bundle_id[:16]}-{quote(llm, safe=' ')}.json"


def watch_path(certificate: Path) -> Path:
    """Return the file beside a certificate's that keeps the life of its promise."""
    return certificate.with_name(certificate.name.removesuffix(".json") + ".watch.json")


def read_certificate(
    path: Path, *, domain: str | None = None, bundle_id: str | None = None, llm: str | None = None
) -> Issued:
    """Return a kept certificate.

    Raises:
        InputError: the file cannot be read, or is no certificate.
        BundleError: it holds for another domain, other weights or another LLM.
    """
    try:
        issued = Issued.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, InputError) as error:
        raise InputError(
            f"certificate {path} cannot be read ({error}); delete it, and certify again"
        ) from error
    for name, wanted in (("domain", domain), ("bundle_id", bundle_id), ("llm", llm)):
        held = getattr(issued, name)
        if wanted is not None and held != wanted:
            raise BundleError(
                f"certificate {path} holds for {name}={held!r}, not {wanted!r}; certify again"
            )
    return issued


def write_json(path: Path, plain: Mapping[str, Any]) -> None:
    """Keep a JSON object; the file appears whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error}); make room, or set TRIMTAB_CERTIFICATES"
        ) from error
