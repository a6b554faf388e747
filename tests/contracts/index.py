"""What every store of passages must keep, wherever it lies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from trimtab.errors import InputError
from trimtab.protocols import Array
from trimtab.rag.passage_index import Entry, PassageIndex

DIM = 4


def direction(*components: float) -> Array:
    vector: Array = np.array(components, dtype=np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def entry(name: str, *components: float, **metadata: Any) -> Entry:
    return Entry(id=name, text=f"text of {name}", vector=direction(*components), metadata=metadata)


PAPERS = (
    entry("a", 1, 0, 0, 0, year=2021, category="cs.LG", topics=["search", "games"], open=True),
    entry("b", 0.9, 0.1, 0, 0, year=2023, category="cs.AI", topics=["search"], open=False),
    entry("c", 0.7, 0.3, 0, 0, year=2024, category="cs.CL", topics=["routing"]),
    entry("d", 0, 0, 1, 0, year=2025, category="cs.LG", score=0.5),
    entry("e", 0.5, 0.5, 0, 0),
)
TOWARDS_A = direction(1, 0, 0, 0)

# the filter, and the ids that it matches
FILTERS: Sequence[tuple[dict[str, Any], str]] = (
    ({"category": "cs.LG"}, "ad"),
    ({"category": {"$eq": "cs.LG"}}, "ad"),
    ({"category": {"$ne": "cs.LG"}}, "bce"),
    ({"category": {"$in": ["cs.AI", "cs.CL"]}}, "bc"),
    ({"category": {"$nin": ["cs.AI", "cs.CL"]}}, "ade"),
    ({"year": {"$gt": 2023}}, "cd"),
    ({"year": {"$gte": 2023}}, "bcd"),
    ({"year": {"$lt": 2023}}, "a"),
    ({"year": {"$lte": 2023}}, "ab"),
    ({"year": {"$gte": 2022, "$lt": 2025}}, "bc"),
    ({"year": 2021.0}, "a"),
    ({"year": "2021"}, ""),
    ({"open": True}, "a"),
    ({"open": False}, "b"),
    ({"open": 1}, ""),
    ({"topics": "search"}, "ab"),
    ({"topics": {"$in": ["games", "routing"]}}, "ac"),
    ({"topics": {"$ne": "search"}}, "cde"),
    ({"score": {"$exists": True}}, "d"),
    ({"year": {"$exists": False}}, "e"),
    ({"year": {"$gt": 2020}, "category": "cs.LG"}, "ad"),
    ({"$and": [{"year": {"$gt": 2022}}, {"category": "cs.LG"}]}, "d"),
    ({"$or": [{"category": "cs.AI"}, {"score": {"$exists": True}}]}, "bd"),
    ({"$or": [{"$and": [{"year": 2021}, {"open": True}]}, {"year": 2025}]}, "ad"),
    ({"nowhere": "x"}, ""),
)
WRONG_FILTERS: Sequence[dict[str, Any]] = (
    {},
    {"year": {"$near": 3}},
    {"year": {}},
    {"year": None},
    {"year": {"$gt": "2020-01-01"}},
    {"year": {"$in": []}},
    {"year": {"$in": 3}},
    {"year": {"$exists": "yes"}},
    {"$or": []},
    {"$not": {"year": 3}},
)


class IndexContract:
    """Subclass it and provide the fixture."""

    @pytest.fixture
    def index(self) -> PassageIndex:
        """Return an empty index of width ``DIM``."""
        raise NotImplementedError

    @pytest.fixture
    def filled(self, index: PassageIndex) -> PassageIndex:
        index.upsert(PAPERS)
        return index

    def test_an_empty_index_finds_nothing(self, index: PassageIndex) -> None:
        assert index.nearest(TOWARDS_A, k=3) == []
        assert index.count() == 0
        assert index.namespaces() == []
        assert index.list_ids() == ([], "")

    def test_the_nearest_comes_first_with_its_cosine(self, filled: PassageIndex) -> None:
        hits = filled.nearest(TOWARDS_A, k=3)
        assert [hit.id for hit in hits] == ["a", "b", "c"]
        expected = [float(TOWARDS_A @ paper.vector) for paper in PAPERS[:3]]
        assert [hit.score for hit in hits] == pytest.approx(expected, abs=1e-5)

    def test_a_hit_carries_what_was_stored(self, index: PassageIndex) -> None:
        index.upsert(
            [
                Entry(
                    id="x#0",
                    title="Café\nréseau",
                    text="深層学習 and “quotes” \\ \n 🙂",
                    vector=TOWARDS_A,
                    keywords="Müller",
                    metadata={"year": 2024, "open": True, "topics": ["a", "b"], "share": 0.25},
                )
            ]
        )
        [hit] = index.nearest(TOWARDS_A, k=1)
        assert (hit.id, hit.title) == ("x#0", "Café\nréseau")
        assert hit.text == "深層学習 and “quotes” \\ \n 🙂"
        assert dict(hit.metadata) == {
            "year": 2024,
            "open": True,
            "topics": ["a", "b"],
            "share": 0.25,
        }
        assert index.fetch(["x#0"])["x#0"].metadata == hit.metadata

    def test_a_second_entry_under_an_id_replaces_the_first(self, filled: PassageIndex) -> None:
        filled.upsert([entry("a", 0, 0, 0, 1, category="math.CO")])
        assert filled.count() == len(PAPERS)
        assert [hit.id for hit in filled.nearest(direction(0, 0, 0, 1), k=1)] == ["a"]
        assert [hit.id for hit in filled.nearest(TOWARDS_A, k=1)] == ["b"]
        assert "year" not in filled.fetch(["a"])["a"].metadata
        assert filled.nearest(TOWARDS_A, k=5, where={"year": 2021}) == []

    def test_of_two_entries_under_one_id_the_later_stays(self, index: PassageIndex) -> None:
        index.upsert([entry("a", 1, 0, 0, 0), entry("a", 0, 1, 0, 0, year=2)])
        assert index.count() == 1
        assert index.fetch(["a"])["a"].metadata == {"year": 2}

    def test_namespaces_do_not_see_each_other(self, filled: PassageIndex) -> None:
        filled.upsert([entry("a", 0, 1, 0, 0, year=1999)], namespace="other")
        assert filled.namespaces() == ["", "other"]
        assert [hit.id for hit in filled.nearest(TOWARDS_A, k=9, namespace="other")] == ["a"]
        assert filled.fetch(["a"])["a"].metadata["year"] == 2021
        assert filled.fetch(["b"], namespace="other") == {}
        assert filled.list_ids(namespace="other") == (["a"], "")
        filled.delete(ids=["a"], namespace="other")
        assert filled.count() == len(PAPERS)
        assert filled.count(namespace="other") == 0
        assert filled.nearest(TOWARDS_A, k=9, namespace="nobody") == []

    def test_deleting_by_id_takes_those_only(self, filled: PassageIndex) -> None:
        filled.delete(ids=["a", "c", "unknown"])
        assert sorted(filled.fetch([paper.id for paper in PAPERS])) == ["b", "d", "e"]
        assert [hit.id for hit in filled.nearest(TOWARDS_A, k=9)][:1] == ["b"]

    def test_deleting_by_filter_takes_those_only(self, filled: PassageIndex) -> None:
        filled.delete(where={"category": "cs.LG"})
        assert sorted(filled.fetch([paper.id for paper in PAPERS])) == ["b", "c", "e"]

    def test_what_was_deleted_may_come_back(self, filled: PassageIndex) -> None:
        filled.delete(ids=["a"])
        filled.upsert([PAPERS[0]])
        assert [hit.id for hit in filled.nearest(TOWARDS_A, k=1)] == ["a"]

    @pytest.mark.parametrize(("where", "names"), FILTERS, ids=lambda value: str(value))
    def test_a_filter_matches(
        self, filled: PassageIndex, where: dict[str, Any], names: str
    ) -> None:
        hits = filled.nearest(TOWARDS_A, k=9, where=where)
        assert "".join(sorted(hit.id for hit in hits)) == names

    def test_a_filter_holds_before_the_k_nearest_are_taken(self, filled: PassageIndex) -> None:
        assert [hit.id for hit in filled.nearest(TOWARDS_A, k=1, where={"year": 2025})] == ["d"]

    @pytest.mark.parametrize("where", WRONG_FILTERS, ids=str)
    def test_a_wrong_filter_is_refused(self, filled: PassageIndex, where: dict[str, Any]) -> None:
        with pytest.raises(InputError, match="filter"):
            filled.nearest(TOWARDS_A, k=1, where=where)

    def test_pages_of_ids_hold_each_once(self, index: PassageIndex) -> None:
        names = [f"p{k:03d}" for k in range(25)]
        index.upsert([entry(name, 1, k, 0, 0) for k, name in enumerate(names)])
        index.upsert([entry("q", 1, 0, 0, 0)])
        found: list[str] = []
        page, after = index.list_ids(prefix="p", limit=10)
        while True:
            assert len(page) <= 10
            found += page
            if not after:
                break
            page, after = index.list_ids(prefix="p", limit=10, after=after)
        assert found == names

    def test_cosines_are_those_of_the_scan(self, filled: PassageIndex) -> None:
        vector = direction(0.3, 0.2, 0.9, 0.1)
        scanned = {hit.id: hit.score for hit in filled.nearest(vector, k=9)}
        assert filled.cosines(vector, [*scanned, "unknown"]) == pytest.approx(scanned, abs=1e-6)

    def test_vectors_come_back_at_unit_length(self, index: PassageIndex) -> None:
        index.upsert([Entry(id="x", text="t", vector=TOWARDS_A * np.float32(7))])
        found = index.vectors_of(["x", "unknown"])
        assert list(found) == ["x"]
        assert found["x"] == pytest.approx(TOWARDS_A)

    def test_more_entries_than_a_request_holds_are_stored(self, index: PassageIndex) -> None:
        entries = [entry(f"n{k:04d}", 1, k, 0, 0, number=k) for k in range(1203)]
        index.upsert(entries)
        assert index.count() == len(entries)
        assert len(index.fetch([each.id for each in entries])) == len(entries)
        names = [each.id for each in entries[:1100]]
        index.delete(ids=names)
        assert index.count() == 103

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (Entry(id="", text="t", vector=TOWARDS_A), "id ''"),
            (Entry(id="é", text="t", vector=TOWARDS_A), "printable ASCII"),
            (Entry(id="x" * 513, text="t", vector=TOWARDS_A), "512 bytes"),
            (Entry(id="x", text="t", vector=direction(1, 0)), re.escape("shape (2,)")),
            (Entry(id="x", text="t", vector=TOWARDS_A * 0), "zero"),
            (Entry(id="x", text="t", vector=TOWARDS_A * np.float32("nan")), "not finite"),
            (entry("x", 1, 0, 0, 0, year=None), "year=None"),
            (entry("x", 1, 0, 0, 0, years=[2021]), "no list of texts"),
            (entry("x", 1, 0, 0, 0, share=float("nan")), "share=nan"),
            (entry("x", 1, 0, 0, 0, **{"$year": 3}), "begins with"),
            (entry("x", 1, 0, 0, 0, note="y" * 41_000), "40,960"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_breaks_a_limit_is_refused_and_nothing_stored(
        self, index: PassageIndex, bad: Entry, message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            index.upsert([PAPERS[0], bad])
        assert index.count() == 0

    @pytest.mark.parametrize("k", [0, -1])
    def test_no_k_is_refused(self, filled: PassageIndex, k: int) -> None:
        with pytest.raises(InputError, match=f"k={k}"):
            filled.nearest(TOWARDS_A, k=k)

    def test_a_vector_of_another_width_is_refused(self, filled: PassageIndex) -> None:
        with pytest.raises(InputError, match="holds vectors of 4"):
            filled.nearest(direction(1, 0), k=1)

    def test_deleting_wants_ids_or_a_filter(self, filled: PassageIndex) -> None:
        with pytest.raises(InputError, match="exactly one"):
            filled.delete()
