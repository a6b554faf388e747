"""What every embedder must keep, whatever its vectors mean."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from trimtab.protocols import Embedder

TEXTS = (
    "find papers on diffusion models",
    "hi",
    "what is the boiling point of water at the top of a mountain, and why is it lower",
    "HI",
    "¿qué hora es?",
    "find papers on diffusion models",
)
ODD = ("", "   ", "\n", "\x00", "\u200b", "🙂", "?", "a" * 3000, "word " * 2000)


class EmbedderContract:
    """Subclass it and provide the fixture."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        raise NotImplementedError

    def test_rows_are_float32_and_of_unit_length(self, embedder: Embedder) -> None:
        vectors = embedder.embed(TEXTS)
        assert vectors.shape == (len(TEXTS), embedder.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)

    def test_a_vector_does_not_depend_on_its_batch(self, embedder: Embedder) -> None:
        together = embedder.embed(TEXTS)
        reversed_ = embedder.embed(TEXTS[::-1])[::-1]
        alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
        np.testing.assert_array_equal(together, alone)
        np.testing.assert_array_equal(together, reversed_)

    def test_equal_texts_have_equal_vectors(self, embedder: Embedder) -> None:
        vectors = embedder.embed(TEXTS)
        np.testing.assert_array_equal(vectors[0], vectors[-1])

    def test_different_texts_have_different_vectors(self, embedder: Embedder) -> None:
        vectors = embedder.embed(TEXTS)
        assert float(vectors[0] @ vectors[2]) < 0.999

    def test_no_texts_give_no_rows(self, embedder: Embedder) -> None:
        assert embedder.embed([]).shape == (0, embedder.dim)

    @pytest.mark.parametrize("text", ODD, ids=lambda text: repr(text[:5]))
    def test_odd_texts_have_unit_vectors_too(self, embedder: Embedder, text: str) -> None:
        [vector] = embedder.embed([text])
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)

    def test_several_threads_may_embed(self, embedder: Embedder) -> None:
        alone = embedder.embed(TEXTS)
        with ThreadPoolExecutor(4) as pool:
            for vectors in pool.map(lambda _: embedder.embed(TEXTS), range(8)):
                np.testing.assert_array_equal(vectors, alone)

    def test_the_name_can_stand_in_a_file(self, embedder: Embedder) -> None:
        assert embedder.name.isprintable()
        assert embedder.name.strip() == embedder.name != ""
