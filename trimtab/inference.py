"""ONNX Runtime sessions for serving: one thread, no spinning, no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_session(model: Path | bytes) -> InferenceSession:
    """Return a session that runs on the calling thread alone.

    More threads make small nets slower and their time unsteady: the runtime's workers spin while
    they wait. Sessions may be shared between threads.

    Args:
        model: an ONNX file, or its bytes.

    Raises:
        ConfigError: ONNX Runtime cannot read it.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except (
        runtime.Fail,
        runtime.InvalidArgument,
        runtime.InvalidGraph,
        runtime.InvalidProtobuf,
        runtime.NoSuchFile,
        runtime.NotImplemented,
    ) as error:
        name = f"{len(model)} bytes" if isinstance(model, bytes) else str(model)
        raise ConfigError(
            f"the ONNX model {name} cannot be opened ({error}); delete it and make it anew"
        ) from error
