from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support import minilm_path
from trimtab.errors import ConfigError
from trimtab.inference import open_session


def test_a_session_opens_from_a_file_and_from_its_bytes() -> None:
    ids = np.array([[101, 7592, 102]], dtype=np.int64)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    [from_file] = open_session(minilm_path()).run(None, inputs)
    [from_bytes] = open_session(minilm_path().read_bytes()).run(None, inputs)
    np.testing.assert_array_equal(from_file, from_bytes)


def test_a_session_runs_on_the_calling_thread_alone() -> None:
    options = open_session(minilm_path()).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x07" * 40])
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    with pytest.raises(ConfigError, match=f"{len(content)} bytes cannot be opened"):
        open_session(content)


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.onnx"):
        open_session(tmp_path / "absent.onnx")
    half = tmp_path / "half.onnx"
    half.write_bytes(minilm_path().read_bytes()[:100_000])
    with pytest.raises(ConfigError, match=r"half\.onnx"):
        open_session(half)


def test_importing_loads_no_runtime() -> None:
    code = (
        "import sys, trimtab.inference, trimtab.embedding\n"
        "print(sorted({'onnxruntime', 'tokenizers', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
