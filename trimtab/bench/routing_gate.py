"""A router that reads the question: ridge regression of what asking the strong model gains.

n is the number of questions, F of features.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALPHA = 100.0
"""Ridge penalty; between 100 and 1,000 the figures move by less than half a point."""
LENGTH_SCALE, PLAIN_SCALE = 3.0, 8.0
"""Standard deviations of the length, and of another count, that weigh as much as a word's tf-idf.

Chosen by the mean over eleven pairs of models, one of which has a bar (it would do better without
the weight on the length): where few questions tell two models apart, counts that move freely do
worse than the length alone.
"""
MAX_WORDS = 2000
"""Most frequent words that are read: bounds memory and time on large tables."""
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_NUMBER = re.compile(r"\d+(?:[.,/:]\d+)*")
_SENTENCE = re.compile(r"[.!?]+(?:\s|$)")
_RATIOS = frozenset({"half", "twice", "third", "quarter", "thrice", "double", "triple"})
_COUNTED = (
    *("each", "per", "more", "less", "than", "if", "total", "times"),
    *("every", "and", "left", "percent", "average"),
)


def text_features(texts: Sequence[str]) -> Floats:
    """Return `[n, F]` counts that tell how much work a question is, the length (log) first."""
    return np.array([_counted(text) for text in texts], dtype=np.float64)


def _counted(text: str) -> list[float]:
    words = [word.lower() for word in _WORD.findall(text)]
    numbers = _NUMBER.findall(text)
    sentences = max(1, len(_SENTENCE.findall(text)))
    return [
        float(np.log1p(len(text))),
        float(np.log1p(len(words))),
        float(len(numbers)),
        float(len(set(numbers))),
        float(sentences),
        len(words) / sentences,
        float(max((len(number) for number in numbers), default=0)),
        *(float(text.count(sign)) for sign in "%$,/"),
        float(sum(word in _RATIOS for word in words)),
        *(float(words.count(word)) for word in _COUNTED),
    ]


def fit_scores(
    texts: Sequence[str], features: Floats, gains: Floats, train: NDArray[np.intp]
) -> Floats:
    """Return `[n]` expected gains of asking the strong model, learned on the train rows.

    With gains `[n, k]`, of k models say, the scores are `[n, k]`.

    Args:
        texts: `[n]` questions; their words enter as tf-idf, fitted on the train rows.
        features: `[n, F]`, standardised here by the train rows; the length comes first.
        gains: `[n]` right(strong) − right(cheap); only those of the train rows are read.
        train: rows to learn from.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    of_train = features[train]
    spread = of_train.std(axis=0)
    plain = (features - of_train.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0) / PLAIN_SCALE
    plain[:, 0] *= PLAIN_SCALE / LENGTH_SCALE
    words = TfidfVectorizer(
        min_df=min(3, len(train)), max_features=MAX_WORDS, sublinear_tf=True, dtype=np.float64
    )
    try:
        words.fit([texts[i] for i in train])
        x: Floats = np.hstack([plain, words.transform(texts).toarray()])
    except ValueError:  # no word occurs in three texts: the counts must do
        x = plain
    mean = gains[train].mean(axis=0)
    z, y = x[train], gains[train] - mean
    rows, columns = z.shape
    if rows < columns:  # the dual form has the smaller matrix
        weights = z.T @ np.linalg.solve(z @ z.T + ALPHA * np.eye(rows), y)
    else:
        weights = np.linalg.solve(z.T @ z + ALPHA * np.eye(columns), z.T @ y)
    scores: Floats = x @ weights + mean
    return scores
