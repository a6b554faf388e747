"""Training of the whole ladder: what it learns, that it repeats itself, what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.requests import DOMAIN, QUICK, embedders, requests
from trimtab.datasets.tables import LabelledText
from trimtab.domains.choices import Choices
from trimtab.errors import BundleError, ConfigError, IllegalAction, InputError
from trimtab.protocols import Embedder
from trimtab.release.bundle import load
from trimtab.training.ladder_fit import TextPolicyConfig
from trimtab.training.text_policy import TrainedTextPolicy, train_text_policy

TRAIN = requests(20, seed=0)
HELD = requests(12, seed=1)


def train(
    *,
    seed: int = 0,
    validation: list[LabelledText] | None = None,
    found: Mapping[str, Embedder] | None = None,
    samples: list[LabelledText] | None = None,
    progress: Callable[[str], None] | None = None,
) -> TrainedTextPolicy:
    return train_text_policy(
        DOMAIN,
        samples or TRAIN,
        validation=validation or (),
        embedders=found or embedders(),
        config=QUICK,
        seed=seed,
        progress=progress,
    )


@pytest.fixture(scope="module")
def trained() -> TrainedTextPolicy:
    return train()


def test_every_tier_learns_and_is_measured_out_of_fold(trained: TrainedTextPolicy) -> None:
    assert trained.metrics["held_out_rows"] == len(TRAIN)
    assert trained.metrics["held_out_folds"] == QUICK.folds
    for tier in ("wordllama", "witness", "minilm"):
        assert trained.metrics[f"{tier}_accuracy"] > 0.5  # one in three by chance


def test_validation_rows_take_the_place_of_folds() -> None:
    metrics = train(validation=HELD).metrics
    assert metrics["held_out_rows"] == len(HELD)
    assert metrics["held_out_folds"] == 0.0


def test_same_seed_gives_the_same_bundle(trained: TrainedTextPolicy, tmp_path: Path) -> None:
    first = trained.pack(tmp_path / "a")
    assert train().pack(tmp_path / "b").bundle_id == first.bundle_id
    assert train(seed=1).pack(tmp_path / "c").bundle_id != first.bundle_id


def test_bundle_names_its_parent_and_its_thresholds(
    trained: TrainedTextPolicy, tmp_path: Path
) -> None:
    bundle = trained.pack(tmp_path / "a", parent="0" * 64)
    assert bundle.parent == "0" * 64
    assert set(bundle.thresholds) == {"accept", "static_accept"}
    assert bundle.thresholds["static_accept"] >= bundle.thresholds["accept"]
    assert load(tmp_path / "a").spec["embedders"] == {"wordllama": "words-24", "minilm": "words-96"}


def test_static_rung_can_be_trained_alone() -> None:
    trained = train(found={"wordllama": embedders()["wordllama"]})
    assert trained.ladder.minilm is None
    assert trained.thresholds["static_accept"] == 0.0
    assert trained.metrics["static_share"] == 1.0


def test_static_rung_answers_with_its_better_tier(trained: TrainedTextPolicy) -> None:
    metrics = trained.metrics
    better = metrics["wordllama_accuracy"] >= metrics["witness_accuracy"]
    assert trained.ladder.static.base == ("wordllama" if better else "witness")


def test_unreachable_target_accepts_nothing_and_the_card_says_so(tmp_path: Path) -> None:
    few = [row for row in requests(3, seed=2)]
    trained = train(samples=few)
    assert trained.thresholds["accept"] == 1.0
    assert trained.metrics["accepted_coverage"] == 0.0
    trained.pack(tmp_path / "a")
    assert "means never" in (tmp_path / "a" / "card.md").read_text(encoding="utf-8")


def test_progress_is_told_line_by_line() -> None:
    lines: list[str] = []
    train_text_policy(
        DOMAIN,
        TRAIN,
        validation=HELD,
        embedders=embedders(),
        config=QUICK,
        seed=0,
        progress=lines.append,
    )
    assert any("embedding 60 texts" in line for line in lines)


def test_texts_with_two_labels_are_told() -> None:
    lines: list[str] = []
    text = TRAIN[0].text
    other = next(row.label for row in TRAIN if row.label != TRAIN[0].label)
    train(
        samples=[*TRAIN, LabelledText(text.upper(), other)], validation=HELD, progress=lines.append
    )
    assert lines[0] == "1 texts carry two labels; they are left out of the exact cache"


def test_a_target_out_of_reach_is_told() -> None:
    lines: list[str] = []
    train(samples=requests(3, seed=2), progress=lines.append)
    assert lines[-1] == "nothing reaches the target: without the LLM no answer counts as sure"


def test_a_good_table_is_told_neither() -> None:
    lines: list[str] = []
    train(samples=requests(60, seed=0), progress=lines.append)
    assert not any("two labels" in line or "no answer counts" in line for line in lines)


def test_fewer_rows_than_folds_are_refused_with_the_remedy() -> None:
    few = requests(1, seed=0)
    with pytest.raises(InputError, match=r"at least 5 rows .* are needed.*add labelled rows"):
        train_text_policy(DOMAIN, few, embedders=embedders(), config=TextPolicyConfig(), seed=0)


def test_label_without_a_text_is_refused() -> None:
    with pytest.raises(InputError, match="weather"):
        train(samples=[row for row in TRAIN if row.label != "weather"])


def test_label_outside_the_domain_is_refused() -> None:
    with pytest.raises(IllegalAction, match="poetry"):
        train(samples=[*TRAIN, LabelledText("an ode", "poetry")])


def test_static_embedder_is_needed() -> None:
    with pytest.raises(ConfigError, match="wordllama"):
        train(found={"minilm": embedders()["minilm"]})


def test_bundle_of_another_domain_is_not_overwritten(
    trained: TrainedTextPolicy, tmp_path: Path
) -> None:
    trained.pack(tmp_path / "a")
    other = Choices(name="other", labels=DOMAIN.labels)
    again = train_text_policy(other, TRAIN, embedders=embedders(), config=QUICK, seed=0)
    with pytest.raises(BundleError):
        again.pack(tmp_path / "a")


@pytest.mark.parametrize(
    "wrong",
    [{"folds": 1}, {"witness_penalty": 0.0}, {"accept_target": 1.0}, {"max_static_loss": -0.1}],
)
def test_settings_that_cannot_train_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        TextPolicyConfig(**wrong)  # type: ignore[arg-type]
