"""Text to unit vectors: wordllama's static token vectors, or MiniLM on ONNX Runtime.

Both read weights that ``trimtab setup text`` puts on the machine; neither reaches for a hub.
N is the number of texts, D the width.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from trimtab.errors import ConfigError, EmbedderMissing
from trimtab.inference import open_session
from trimtab.protocols import Array, Embedder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

T = TypeVar("T")

MAX_TOKENS = 256
"""Word pieces that MiniLM was trained on; the rest of a text is cut off."""
_GROUP = 500  # rows in one statement or transaction
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
        for row, text in zip(rows, texts, strict=True):
            ids = self._tokenizer.encode(text, add_special_tokens=False).ids or [0]
            # the sum: of unit length it is the mean
            np.add.reduce(self._vectors.take(ids, axis=0, mode="clip"), axis=0, out=row)
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

    Several processes and threads may share the file. Vectors are kept in groups as they are
    computed, so that a long run that is stopped loses little.

    Raises:
        ConfigError: the file cannot be used, here or in :meth:`embed`; the message says why.
    """

    def __init__(self, embedder: Embedder, path: Path) -> None:
        self._embedder = embedder
        self._path = path
        self.name = embedder.name
        self.dim = embedder.dim
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"the embedding cache {path} cannot be made ({error}); give another path"
            ) from error
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (embedder TEXT, text_hash BLOB, "
                "vector BLOB NOT NULL, PRIMARY KEY (embedder, text_hash)) WITHOUT ROWID"
            )

    def embed(self, texts: Sequence[str]) -> Array:
        """Return `[N, D]` float32 rows of unit length, computing only those not kept yet."""
        hashes = [hashlib.sha256(text.encode()).digest() for text in texts]
        with self._open() as connection:
            found = self._read(connection, sorted(set(hashes)))
        missing = {h: text for h, text in zip(hashes, texts, strict=True) if h not in found}
        for group in _grouped(list(missing.items())):
            # computed outside the transaction: other processes may write meanwhile
            computed = self._embedder.embed([text for _, text in group])
            rows = [(h, row) for (h, _), row in zip(group, computed, strict=True)]
            with self._open() as connection, connection:
                connection.executemany(
                    "INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)",
                    [(self.name, h, row.astype("<f4").tobytes()) for h, row in rows],
                )
            found.update(rows)
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for row, text_hash in enumerate(hashes):
            vectors[row] = found[text_hash]
        return vectors

    def _read(self, connection: sqlite3.Connection, hashes: Sequence[bytes]) -> dict[bytes, Array]:
        found: dict[bytes, Array] = {}
        for group in _grouped(hashes):
            marks = ", ".join("?" * len(group))
            query = (
                "SELECT text_hash, vector FROM vectors "  # noqa: S608 - only question marks go in
                f"WHERE embedder = ? AND text_hash IN ({marks})"
            )
            for text_hash, kept in connection.execute(query, (self.name, *group)):
                if len(kept) != 4 * self.dim:
                    raise sqlite3.DatabaseError(
                        f"a vector of {self.name} takes {len(kept)} bytes, not {4 * self.dim}"
                    )
                found[text_hash] = np.frombuffer(kept, dtype="<f4").astype(np.float32)
        return found

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=30.0)) as connection:
                yield connection
        except sqlite3.OperationalError as error:
            raise ConfigError(
                f"the embedding cache {self._path} cannot be used ({error}); make its folder "
                "writable and free space there, or give another path"
            ) from error
        except sqlite3.DatabaseError as error:
            raise ConfigError(
                f"the embedding cache {self._path} is damaged ({error}); delete the file: "
                "its vectors can be computed again"
            ) from error


def load_embedder(name: Literal["wordllama", "minilm"], *, models: Path) -> Embedder:
    """Return an embedder by name.

    Args:
        name: ``wordllama`` (static, 256 wide) or ``minilm`` (384 wide).
        models: folder that ``trimtab setup text`` exports to.

    Raises:
        EmbedderMissing: its weights are not on this machine; the message holds the command.
        ConfigError: several exports of MiniLM lie there, or no embedder has that name.
    """
    if name not in ("wordllama", "minilm"):
        raise ConfigError(f"no embedder is named {name!r}; give wordllama or minilm")
    if name == "wordllama":
        folder = wheel_folder("wordllama")
        weights = sorted((folder / "weights").glob("*.safetensors"))
        tokenizers = sorted((folder / "tokenizers").glob("*tokenizer*.json"))
        if not weights or not tokenizers:
            raise EmbedderMissing(f"the wheel wordllama holds no weights at {folder}; {SETUP}")
        return StaticEmbedder(weights[0], tokenizers[0])
    graphs = sorted(models.glob("minilm-*.onnx"))
    if not graphs:
        raise EmbedderMissing(f"MiniLM is not exported to {models}; {SETUP}")
    if len(graphs) > 1:
        names = ", ".join(graph.name for graph in graphs)
        raise ConfigError(f"{models} holds several exports of MiniLM ({names}); delete all but one")
    tokenizer = tokenizer_of(graphs[0])
    if not tokenizer.is_file():
        raise EmbedderMissing(f"the export lacks its tokenizer {tokenizer}; {SETUP}")
    return MiniLMEmbedder(graphs[0], tokenizer)


def tokenizer_of(graph: Path) -> Path:
    """Return where the tokenizer of an exported graph lies."""
    return graph.with_suffix(".tokenizer.json")


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


def _grouped(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _GROUP):
        yield items[start : start + _GROUP]


def _unit(rows: Array) -> Array:
    """Bring the rows to unit length where they are."""
    for row in rows:
        row /= max(math.sqrt(row.dot(row)), 1e-12)
    return rows
