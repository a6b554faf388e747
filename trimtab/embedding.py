"""Text to unit vectors: wordllama's static token vectors, or MiniLM on ONNX Runtime.

Both read weights that ``trimtab setup text`` puts on the machine; neither reaches for a hub.
N is the number of texts, D the width.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from trimtab.errors import ConfigError, EmbedderMissing
from trimtab.inference import open_session
from trimtab.protocols import Array, Embedder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_TOKENS = 256
"""Word pieces that MiniLM was trained on; the rest of a text is cut off."""
SETUP = "run: trimtab setup text"


class StaticEmbedder:
    """The mean of wordllama's token vectors; thread-safe.

    A text without any known token gets the vector of the unknown token, so that every text has
    a unit vector.

    Args:
        weights: safetensors file holding one matrix of token vectors.
        tokenizer: the tokenizer's JSON file.
    """

    def __init__(self, weights: Path, tokenizer: Path) -> None:
        from safetensors.numpy import load_file

        [matrix] = load_file(weights).values()
        self._vectors: Array = matrix.astype(np.float32)
        self._tokenizer = _open_tokenizer(tokenizer)
        self.dim = int(self._vectors.shape[1])
        self.name = f"wordllama-{self.dim}-{file_hash(weights)[:8]}"

    def embed(self, texts: Sequence[str]) -> Array:
        """Return `[N, D]` float32 rows of unit length."""
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            ids = self._tokenizer.encode(text, add_special_tokens=False).ids or [0]
            mean = self._vectors[np.minimum(ids, len(self._vectors) - 1)].mean(axis=0)
            rows[row] = mean
        return _unit(rows)


class MiniLMEmbedder:
    """MiniLM as exported by ``trimtab setup text``; thread-safe.

    Texts run one by one: the dynamic int8 graph scales activations over the whole batch, so a
    text's vector would otherwise depend on its neighbours.

    Args:
        model: the ONNX file; inputs ``input_ids`` and ``attention_mask`` `[1, L]`.
        tokenizer: the tokenizer's JSON file.
    """

    def __init__(self, model: Path, tokenizer: Path) -> None:
        self._session = open_session(model)
        self._tokenizer = _open_tokenizer(tokenizer)
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self.dim = int(self._session.get_outputs()[0].shape[-1])
        self.name = model.stem

    def embed(self, texts: Sequence[str]) -> Array:
        """Return `[N, D]` float32 rows of unit length."""
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            rows[row] = self.run(self.encode(text))
        return _unit(rows)

    def encode(self, text: str) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
        """Return the session's inputs for one text."""
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    def run(self, inputs: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]) -> Array:
        """Return `[D]`, the bare session's output for encoded inputs."""
        [vectors] = self._session.run(None, inputs)
        vector: Array = np.asarray(vectors, dtype=np.float32)[0]
        return vector


class CachedEmbedder:
    """Keeps another embedder's vectors in a SQLite file, by its name and the text's hash.

    Several processes may share the file.
    """

    def __init__(self, embedder: Embedder, path: Path) -> None:
        self._embedder = embedder
        self._path = path
        self.name = embedder.name
        self.dim = embedder.dim
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(self._connect()) as connection, connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS vectors (embedder TEXT, text_hash BLOB, "
                    "vector BLOB NOT NULL, PRIMARY KEY (embedder, text_hash)) WITHOUT ROWID"
                )
        except sqlite3.DatabaseError as error:
            raise ConfigError(
                f"the embedding cache {path} cannot be used ({error}); delete the file"
            ) from error

    def embed(self, texts: Sequence[str]) -> Array:
        """Return `[N, D]` float32 rows of unit length, computing only those not kept yet."""
        hashes = [hashlib.sha256(text.encode()).digest() for text in texts]
        with closing(self._connect()) as connection:
            found = self._read(connection, set(hashes))
            missing = {h: text for h, text in zip(hashes, texts, strict=True) if h not in found}
            if missing:
                computed = self._embedder.embed(list(missing.values()))
                with connection:
                    connection.executemany(
                        "INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)",
                        [
                            (self.name, h, row.astype("<f4").tobytes())
                            for h, row in zip(missing, computed, strict=True)
                        ],
                    )
                found.update(zip(missing, computed, strict=True))
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        for row, text_hash in enumerate(hashes):
            rows[row] = found[text_hash]
        return rows

    def _read(self, connection: sqlite3.Connection, hashes: set[bytes]) -> dict[bytes, Array]:
        found: dict[bytes, Array] = {}
        wanted = sorted(hashes)
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ", ".join("?" * len(part))
            query = (
                "SELECT text_hash, vector FROM vectors "  # noqa: S608 - only question marks go in
                f"WHERE embedder = ? AND text_hash IN ({marks})"
            )
            for text_hash, vector in connection.execute(query, (self.name, *part)):
                found[text_hash] = np.frombuffer(vector, dtype="<f4").astype(np.float32)
        return found

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30.0)


def load_embedder(name: Literal["wordllama", "minilm"], *, models: Path) -> Embedder:
    """Return an embedder by name.

    Args:
        name: ``wordllama`` (static, 256 wide) or ``minilm`` (384 wide).
        models: folder that ``trimtab setup text`` exports to.

    Raises:
        EmbedderMissing: its weights are not on this machine; the message holds the command.
    """
    if name == "wordllama":
        folder = wheel_folder("wordllama")
        weights = sorted((folder / "weights").glob("*.safetensors"))
        tokenizers = sorted((folder / "tokenizers").glob("*tokenizer*.json"))
        if not weights or not tokenizers:
            raise EmbedderMissing(f"the wheel wordllama holds no weights at {folder}; {SETUP}")
        return StaticEmbedder(weights[0], tokenizers[0])
    exported = sorted(models.glob("minilm-*.onnx"))
    if not exported:
        raise EmbedderMissing(f"MiniLM is not exported to {models}; {SETUP}")
    return MiniLMEmbedder(exported[0], exported[0].with_suffix(".tokenizer.json"))


def wheel_folder(package: str) -> Path:
    """Return the folder of an installed package without importing it.

    The model wheels are never imported: they import packages that are absent, print, or set up
    logging.

    Raises:
        EmbedderMissing: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderMissing(f"the model wheel {package} is not installed; {SETUP}")
    return Path(spec.submodule_search_locations[0])


def file_hash(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_tokenizer(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    return tokenizer


def _unit(rows: Array) -> Array:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Array = rows / np.maximum(norms, np.float32(1e-12))
    return unit
