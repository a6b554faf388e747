from __future__ import annotations

import numpy as np
import pytest

from tests.support import LetterEmbedder
from trimtab.errors import ConfigError
from trimtab.rag.papers import Paper
from trimtab.training.evidence_data import (
    LEAST_PAPERS,
    EvidenceData,
    EvidenceSampler,
    evidence_data,
)

NAMES = ["ant", "bee", "cow", "dog", "elk", "fox", "gnu", "hen", "ibex", "jay", "kiwi", "lynx"]
NAMES += ["mole", "newt", "owl", "pig", "quail", "rat", "seal", "toad", "urial", "vole"]
PAPERS = [
    Paper(
        arxiv_id=f"2505.{number:05d}",
        title=f"On the {name} in winter",
        abstract=f"The {name} sleeps all day. It eats what the {name} likes. Every {name} dreams.",
    )
    for number, name in enumerate(NAMES)
]


def made(keep: tuple[float, ...] = (0.5,)) -> EvidenceData:
    return evidence_data(PAPERS, LetterEmbedder(), keep=keep, rng=np.random.default_rng(0))


def test_every_title_and_sentence_asks_for_its_paper_and_once_without_it() -> None:
    found = made()
    assert len(found.targets) == len(PAPERS) * (1 + 3) * 2 * 2
    assert found.hidden.sum() == found.reduced.sum() == len(found.targets) / 2
    assert not found.targets[found.hidden].any()
    # the animal stands in what is left of the paper
    assert (found.targets[~found.hidden & ~found.reduced] == 1).mean() > 0.9


def test_a_question_does_not_stand_in_its_own_evidence() -> None:
    rows = evidence_data(PAPERS, LetterEmbedder(), keep=(), rng=np.random.default_rng(0))
    asked = ~rows.hidden
    # an exact copy would have cosine 1 to its question
    assert rows.inputs[asked, 1, 3].max() < 0.999


def test_a_stated_share_of_the_draws_has_no_paper() -> None:
    sampler = EvidenceSampler(made(()), hidden_share=0.25)
    _, targets = sampler.draw(2_000, np.random.default_rng(0))
    assert (targets == 0).mean() == pytest.approx(0.25, abs=0.06)


def test_too_few_papers_are_refused() -> None:
    with pytest.raises(ConfigError, match=str(LEAST_PAPERS)):
        evidence_data(PAPERS[:3], LetterEmbedder(), keep=(), rng=np.random.default_rng(0))
