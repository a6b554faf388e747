from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import ConfigError
from trimtab.rag.chunking import Chunk, ChunkConfig, Method, Section, chunk

METHODS: tuple[Method, ...] = ("fixed", "recursive", "section")
PROSE = (
    "Search grows a tree. It keeps counts, one for each move; they decide.\n\n"
    "A second paragraph follows. It is about routing, and it is longer than the first one was.\n"
    "Its last line ends here."
)


@pytest.mark.parametrize("method", METHODS)
@given(
    text=st.text(alphabet=st.sampled_from("ab .,\n。é"), max_size=600),
    size=st.integers(40, 120),
    overlap=st.integers(0, 20),
)
def test_every_chunk_is_the_stretch_it_names_and_no_letter_is_lost(
    method: Method, text: str, size: int, overlap: int
) -> None:
    config = ChunkConfig(method=method, max_chars=size, overlap_chars=overlap)
    chunks = chunk([Section(name="abstract", text=text)], config)
    covered: set[int] = set()
    for each in chunks:
        assert each.text == text[each.start : each.end] == each.text.strip() != ""
        assert len(each.text) <= (4 * size if method == "section" else size)
        covered.update(range(each.start, each.end))
    assert all(k in covered for k, letter in enumerate(text) if not letter.isspace())
    assert [each.start for each in chunks] == sorted({each.start for each in chunks})


def test_recursive_cuts_at_paragraphs_first() -> None:
    chunks = chunk([Section(name="s", text=PROSE)], ChunkConfig(max_chars=100, overlap_chars=0))
    assert [each.text.split()[0] for each in chunks] == ["Search", "A", "Its"]


def test_recursive_joins_small_neighbours() -> None:
    text = "One. Two. Three. " * 10
    config = ChunkConfig(max_chars=60, overlap_chars=0)
    assert max(len(each.text) for each in chunk([Section(name="s", text=text)], config)) > 40


def test_fixed_windows_overlap_at_words() -> None:
    text = " ".join(f"word{k:03d}" for k in range(60))
    config = ChunkConfig(method="fixed", max_chars=100, overlap_chars=30)
    chunks = chunk([Section(name="s", text=text)], config)
    for left, right in itertools.pairwise(chunks):
        assert right.start < left.end
        assert right.text.startswith("word")


def test_sections_stay_whole_and_keep_their_names() -> None:
    sections = [Section(name="abstract", text="Short."), Section(name="2 Method", text=PROSE)]
    chunks = chunk(sections, ChunkConfig(method="section", max_chars=100, overlap_chars=0))
    assert [(each.section, each.text) for each in chunks] == [
        ("abstract", "Short."),
        ("2 Method", PROSE),
    ]


def test_blank_sections_give_no_chunk() -> None:
    assert chunk([Section(name="s", text=" \n ")], ChunkConfig()) == []


def test_offsets_count_from_the_section() -> None:
    sections = [Section(name="a", text="first"), Section(name="b", text="  second ")]
    assert chunk(sections, ChunkConfig())[1] == Chunk(section="b", start=2, end=8, text="second")


@pytest.mark.parametrize(
    "settings",
    [{"method": "magic"}, {"max_chars": 39}, {"max_chars": 2_401}, {"overlap_chars": 800}],
    ids=str,
)
def test_a_config_that_cannot_be_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=str(next(iter(settings)))):
        ChunkConfig(**settings)  # type: ignore[arg-type]  # wrong on purpose
