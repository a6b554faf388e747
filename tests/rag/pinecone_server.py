"""A loopback server that speaks Pinecone's REST protocol, version 2026-07, as its client uses it.

Like the service it shows a write only after a while: ``lag`` reads of the data plane still see the
state before it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np

from tests.loopback import Loopback, Reply, Request, serving

Spaces = dict[str, dict[str, dict[str, Any]]]


class PineconeServer:
    """The state of a project with its indexes; ``failures`` are sent before anything else."""

    def __init__(self, lag: int = 0) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.failures: list[Reply] = []
        self.url = ""
        self._lag = lag
        self._left = 0
        self._spaces: Spaces = {}
        self._visible: Spaces = {}
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        with self._lock:
            if self.failures:
                return self.failures.pop(0)
            path = urlparse(request.path).path.removeprefix("/v1")
            if path.startswith("/indexes"):
                return self._control(request, path)
            asked = parse_qs(urlparse(request.path).query, keep_blank_values=True)
            answer = {
                "/vectors/upsert": self._upsert,
                "/vectors/delete": self._delete,
                "/query": self._query,
                "/vectors/fetch": self._fetch,
                "/vectors/list": self._list,
                "/describe_index_stats": self._stats,
            }[path]
            self._show()
            return answer(request.body, asked)

    def _control(self, request: Request, path: str) -> Reply:
        if request.method == "POST":
            name = request.body["name"]
            self.models[name] = {
                **request.body,
                "host": self.url,
                "status": {"ready": True, "state": "Ready"},
                "deletion_protection": "disabled",
            }
            return Reply(status=201, body=self.models[name])
        if path == "/indexes":
            return Reply(body={"indexes": list(self.models.values())})
        model = self.models.get(path.rpartition("/")[2])
        if model is None:
            return _refused(404, "NOT_FOUND", "no such index")
        return Reply(body=model)

    def _upsert(self, body: Mapping[str, Any], asked: Mapping[str, list[str]]) -> Reply:
        [schema] = next(iter(self.models.values()))["schema"]["fields"].values()
        for record in body["vectors"]:
            if len(record["values"]) != schema["dimension"]:
                return _refused(400, "INVALID_ARGUMENT", "vector dimension does not match")
        if len(body["vectors"]) > 1_000:
            return _refused(400, "INVALID_ARGUMENT", "more than 1000 records")
        space = self._spaces.setdefault(body.get("namespace", ""), {})
        space |= {record["id"]: record for record in body["vectors"]}
        self._left = self._lag
        return Reply(body={"upsertedCount": len(body["vectors"])})

    def _delete(self, body: Mapping[str, Any], asked: Mapping[str, list[str]]) -> Reply:
        space = self._spaces.get(body.get("namespace", ""), {})
        names = body.get("ids")
        if names is None:
            names = [name for name, record in space.items() if matches(record, body["filter"])]
        for name in names:
            space.pop(name, None)
        self._left = self._lag
        return Reply(body={})

    def _query(self, body: Mapping[str, Any], asked: Mapping[str, list[str]]) -> Reply:
        namespace = body.get("namespace", "")
        vector = np.array(body["vector"])
        found = []
        for name, record in self._visible.get(namespace, {}).items():
            if matches(record, body.get("filter") or {}):
                values = np.array(record["values"])
                lengths = np.linalg.norm(values) * np.linalg.norm(vector)
                score = float(values @ vector / lengths)
                found.append({"id": name, "score": score, "metadata": record["metadata"]})
        found.sort(key=lambda match: -match["score"])
        return Reply(body={"matches": found[: body["topK"]], "namespace": namespace})

    def _fetch(self, body: Mapping[str, Any], asked: Mapping[str, list[str]]) -> Reply:
        namespace = asked.get("namespace", [""])[0]
        space = self._visible.get(namespace, {})
        found = {name: space[name] for name in asked.get("ids", []) if name in space}
        return Reply(body={"vectors": found, "namespace": namespace})

    def _list(self, body: Mapping[str, Any], asked: Mapping[str, list[str]]) -> Reply:
        namespace = asked.get("namespace", [""])[0]
        prefix, limit = asked.get("prefix", [""])[0], int(asked.get("limit", ["100"])[0])
        names = sorted(name for name in self._visible.get(namespace, {}) if name.startswith(prefix))
        start = int(asked.get("paginationToken", ["0"])[0])
        page = names[start : start + limit]
        answer: dict[str, Any] = {"vectors": [{"id": name} for name in page]}
        if start + limit < len(names):
            answer["pagination"] = {"next": str(start + limit)}
        return Reply(body={**answer, "namespace": namespace})

    def _stats(self, body: Mapping[str, Any], asked: Mapping[str, list[str]]) -> Reply:
        counts = {
            name or "__default__": {"vectorCount": len(space)}
            for name, space in self._visible.items()
            if space
        }
        return Reply(body={"namespaces": counts, "dimension": 4, "totalVectorCount": 0})

    def _show(self) -> None:
        if self._left:
            self._left -= 1
        else:
            self._visible = {name: dict(space) for name, space in self._spaces.items()}


@contextmanager
def pinecone_server(lag: int = 0) -> Iterator[tuple[PineconeServer, Loopback]]:
    state = PineconeServer(lag)
    with serving(state) as loopback:
        state.url = loopback.url.removesuffix("/v1")
        yield state, loopback


def matches(record: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Return whether a record passes a filter, as Pinecone's documentation describes them."""
    fields = record.get("metadata") or {}
    for key, wanted in where.items():
        if key == "$and":
            passed = all(matches(record, part) for part in wanted)
        elif key == "$or":
            passed = any(matches(record, part) for part in wanted)
        else:
            tests = wanted if isinstance(wanted, dict) else {"$eq": wanted}
            passed = all(_holds(fields.get(key), test, value) for test, value in tests.items())
        if not passed:
            return False
    return True


def _holds(value: Any, test: str, wanted: Any) -> bool:
    if test == "$exists":
        return (value is not None) == wanted
    if test in ("$ne", "$nin"):
        return not _holds(value, {"$ne": "$eq", "$nin": "$in"}[test], wanted)
    if test == "$in":
        return any(_holds(value, "$eq", each) for each in wanted)
    if test == "$eq":
        if isinstance(value, list):
            return wanted in value
        return _kind(value) is _kind(wanted) and value == wanted
    if _kind(value) is not float:
        return False
    return {
        "$gt": value > wanted,
        "$gte": value >= wanted,
        "$lt": value < wanted,
        "$lte": value <= wanted,
    }[test]


def _kind(value: Any) -> type:
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, int | float) else type(value)


def _refused(status: int, code: str, message: str) -> Reply:
    return Reply(
        status=status, body={"error": {"code": code, "message": message}, "status": status}
    )
