from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.contracts.embedder import EmbedderContract
from tests.models.checkpoints import SENTENCES, write_checkpoint
from tests.support import minilm_path
from trimtab.embedding import MiniLMEmbedder, file_hash, load_embedder, tokenizer_of
from trimtab.errors import ConfigError, EmbedderMissing, InputError
from trimtab.models.export import NEEDED_COSINE, export_encoder, read_export
from trimtab.models.sentences import SENTENCES as CHECKED
from trimtab.models.text_encoder import load_text_encoder
from trimtab.protocols import Embedder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def int8(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_encoder(source, tmp_path_factory.mktemp("int8"), sentences=SENTENCES)


@pytest.fixture(scope="module")
def fp32(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_encoder(
        source, tmp_path_factory.mktemp("fp32"), sentences=SENTENCES, needed_cosine=1.1
    )


class TestFloatGraph(EmbedderContract):
    @pytest.fixture
    def embedder(self, fp32: Path) -> Embedder:
        return MiniLMEmbedder(fp32, tokenizer_of(fp32))


def test_the_graph_comes_with_its_tokenizer_and_its_record_alone(int8: Path) -> None:
    names = {file.name.removeprefix(int8.stem) for file in int8.parent.iterdir()}
    assert names == {".onnx", ".tokenizer.json", ".json"}


def test_the_record_says_what_was_exported(int8: Path, source: Path) -> None:
    record = read_export(int8)
    assert record.name == int8.stem == f"minilm-{record.weights_sha256[:8]}-int8"
    assert record.weights_sha256 == file_hash(source / "model.safetensors")
    assert record.onnx_sha256 == file_hash(int8)
    assert record.fallback is None
    assert 1.0 > record.cosine_mean >= NEEDED_COSINE


def test_the_int8_graph_is_smaller(int8: Path, fp32: Path) -> None:
    assert int8.stat().st_size < fp32.stat().st_size


def test_the_float_graph_computes_what_torch_computes(fp32: Path, source: Path) -> None:
    embedder = MiniLMEmbedder(fp32, tokenizer_of(fp32))
    encoder = load_text_encoder(source)
    for sentence in ("a", "", "many letters of a longer sentence"):
        inputs = {key: torch.from_numpy(value) for key, value in embedder.encode(sentence).items()}
        with torch.no_grad():
            [expected] = encoder(**inputs)
        np.testing.assert_allclose(embedder.embed([sentence])[0], expected.numpy(), atol=1e-5)


def test_the_graph_takes_any_batch_and_length(fp32: Path) -> None:
    embedder = MiniLMEmbedder(fp32, tokenizer_of(fp32))
    ids = np.array([[1, 5, 6, 7, 2, 0, 0], [1, 9, 9, 9, 9, 9, 2], [1, 2, 0, 0, 0, 0, 0]])
    mask = (np.arange(7) < np.array([[5], [7], [2]])).astype(np.int64)
    first = embedder.run({"input_ids": ids, "attention_mask": mask})
    alone = embedder.run({"input_ids": ids[:1, :5], "attention_mask": mask[:1, :5]})
    np.testing.assert_allclose(first, alone, atol=1e-5)


def test_int8_too_far_from_torch_leaves_the_float_graph_and_says_why(fp32: Path) -> None:
    record = read_export(fp32)
    assert fp32.stem.endswith("-fp32")
    assert record.precision == "float32"
    assert record.fallback is not None
    assert f"{record.cosine_mean:.4f}" in record.fallback
    assert load_embedder("minilm", models=fp32.parent).name == fp32.stem


def test_a_second_export_keeps_the_first(int8: Path, source: Path) -> None:
    written = int8.stat().st_mtime_ns
    assert export_encoder(source, int8.parent, sentences=SENTENCES) == int8
    assert int8.stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["graph", "tokenizer", "record"])
def test_a_damaged_export_is_made_anew(
    source: Path, int8: Path, tmp_path: Path, damage: str
) -> None:
    shutil.copytree(int8.parent, tmp_path, dirs_exist_ok=True)
    graph = tmp_path / int8.name
    whole = graph.read_bytes()
    if damage == "graph":
        graph.write_bytes(whole[:-1])
    elif damage == "tokenizer":
        tokenizer_of(graph).unlink()
    else:
        graph.with_suffix(".json").write_text("{", encoding="utf-8")
    assert export_encoder(source, tmp_path, sentences=SENTENCES) == graph
    assert graph.read_bytes() == whole
    assert read_export(graph).onnx_sha256 == file_hash(graph)
    assert tokenizer_of(graph).is_file()


def test_a_folder_without_a_checkpoint_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(EmbedderMissing, match="pip install"):
        export_encoder(tmp_path, tmp_path)


def test_a_folder_that_cannot_be_written_names_the_setting(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigError, match="set TRIMTAB_HOME to a folder that you may write"):
        export_encoder(source, tmp_path / "file" / "models", sentences=SENTENCES)


def test_a_graph_without_a_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="trimtab setup text"):
        read_export(tmp_path / "minilm-0-int8.onnx")


def test_the_served_minilm_is_near_its_original() -> None:
    record = read_export(minilm_path())
    assert record.onnx_sha256 == file_hash(minilm_path())
    assert record.sentences == len(set(CHECKED)) == 64
    assert record.fallback is None or record.precision == "float32"
    assert record.fallback is not None or record.cosine_mean >= NEEDED_COSINE
