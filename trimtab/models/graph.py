"""Torch modules as ONNX graphs in one file, and new weights for a graph that is already there."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from trimtab.errors import ConfigError, MissingExtra
from trimtab.models.board_graph import OPSET, build_board_graph
from trimtab.models.policy_value import PolicyValueConfig


def write_graph(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    target: Path,
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic_axes: Sequence[int],
) -> None:
    """Write a module's graph with all its weights inside the one file.

    Args:
        module: in the state in which it is to serve.
        inputs: one tensor per input; each dynamic axis holds two rows or more.
        target: the file.
        input_names: of the graph; they must be those of ``module.forward``.
        output_names: of the graph.
        dynamic_axes: the axes of every input whose length may vary.

    Raises:
        MissingExtra: the exporter is not installed.
    """
    try:
        import onnxscript  # noqa: F401 - the exporter needs it and says so badly
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "onnxscript", "train") from error
    axes = {axis: torch.export.Dim.DYNAMIC for axis in dynamic_axes}
    # it warns of torchvision's absence, which none of these modules needs
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = registration.level
    registration.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch's exporter copies a class that torch itself has deprecated
            warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\)", FutureWarning)
            torch.onnx.export(
                module,
                inputs,
                str(target),
                input_names=list(input_names),
                output_names=list(output_names),
                dynamo=True,
                dynamic_shapes=dict.fromkeys(input_names, axes),
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    finally:
        registration.setLevel(level)
    _forget_origin(target)


def _forget_origin(target: Path) -> None:
    """Drop what the exporter notes of this machine: source files and lines of every node."""
    import onnx

    model = onnx.load(target)
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.save(model, target)


class BoardGraph:
    """The ONNX graph of a policy-value net, filled with weights again and again.

    Filling takes milliseconds, and self-play needs new weights every iteration.
    """

    def __init__(self, config: PolicyValueConfig) -> None:
        self._model = build_board_graph(config)
        self._slots = {slot.name: slot for slot in self._model.graph.initializer}

    def filled(self, weights: Mapping[str, Tensor]) -> bytes:
        """Return the graph with these weights, by the names of the net's parameters."""
        for name, tensor in weights.items():
            values = tensor.detach().to(torch.float32).contiguous().numpy()
            if list(values.shape) != list(self._slots[name].dims):
                raise ConfigError(
                    f"weights {name!r} have shape {list(values.shape)}, the graph "
                    f"{list(self._slots[name].dims)}; give the weights of a net of the same sizes"
                )
            self._slots[name].raw_data = np.ascontiguousarray(values, dtype="<f4").tobytes()
        graph: bytes = self._model.SerializeToString(deterministic=True)
        return graph
