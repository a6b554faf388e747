import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from trimtab.datasets.download import TABLES, PublicTable, fetch, get
from trimtab.datasets.tables import LabelledText, read_table
from trimtab.errors import InputError

ORIGINAL = {
    "train": [["what is my balance", "balance"], ["wie spät ist es", "time"]],
    "oos_test": [["who won", "oos"]],
}
CONTENT = json.dumps(ORIGINAL).encode()
ROWS = [
    LabelledText("what is my balance", "balance", "train"),
    LabelledText("wie spät ist es", "time", "train"),
    LabelledText("who won", "oos", "oos_test"),
]
Serve = Callable[[bytes], str]


def table(
    url: str = "https://nowhere.invalid/data_full.json", digest: str | None = None
) -> PublicTable:
    return replace(TABLES["clinc150"], url=url, sha256=digest)


def read(path: Path) -> list[LabelledText]:
    return read_table(path, text_column="text", label_column="intent", split_column="split")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve raw HTTP answers on loopback, one after the other at the same address."""
    answers: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(answers[-1])

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def answer(content: bytes) -> str:
        answers.append(content)
        return f"http://127.0.0.1:{server.server_address[1]}/data_full.json"

    yield answer
    server.shutdown()
    server.server_close()
    thread.join()


def ok(content: bytes, *, length: int | None = None) -> bytes:
    head = f"HTTP/1.0 200 OK\r\nContent-Length: {length or len(content)}\r\n\r\n"
    return head.encode() + content


def test_a_download_becomes_a_table_with_its_licence(tmp_path: Path, serve: Serve) -> None:
    fetched = fetch(table(serve(ok(CONTENT))), out=tmp_path / "new")
    assert fetched.path == tmp_path / "new" / "clinc150.jsonl.gz"
    assert read(fetched.path) == ROWS
    assert fetched.rows == 3
    assert fetched.licence == "CC BY 3.0"
    assert "Larson" in fetched.attribution


def test_the_first_download_is_recorded_and_the_next_must_match(
    tmp_path: Path, serve: Serve
) -> None:
    first = fetch(table(serve(ok(CONTENT))), out=tmp_path)
    sidecar = tmp_path / "data_full.json.sha256"
    assert sidecar.read_text() == f"{sha256(CONTENT).hexdigest()}  data_full.json\n"
    before = first.path.read_bytes()
    fetch(table(serve(ok(CONTENT))), out=tmp_path)
    assert first.path.read_bytes() == before
    with pytest.raises(InputError, match="written at the first download"):
        fetch(table(serve(ok(CONTENT + b" "))), out=tmp_path)
    assert first.path.read_bytes() == before


def test_a_broken_record_of_the_first_download_is_said(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "data_full.json.sha256").write_text("\n")
    with pytest.raises(InputError, match="holds no sha256"):
        fetch(table(serve(ok(CONTENT))), out=tmp_path)


def test_a_stated_checksum_must_match(tmp_path: Path, serve: Serve) -> None:
    url = serve(ok(CONTENT))
    fetch(table(url, sha256(CONTENT).hexdigest()), out=tmp_path / "right")
    with pytest.raises(InputError, match="pinned revision"):
        fetch(table(url, "0" * 64), out=tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404 Not Found"),
        (ok(CONTENT, length=10_000), "broke off after|cannot be downloaded"),
        (b"nonsense", "cannot be downloaded"),
        (ok(b"{"), "is not JSON"),
        (ok(b"[]"), "is not an object of splits"),
        (ok(b'{"train": [["x"]]}'), "train: entry 1 is not a pair"),
        (ok(b'{"train": [["", "a"]]}'), "train: entry 1 is not a pair"),
        (ok(b'{"train": 3}'), "train: entry 1 is not a pair"),
        (ok(b'{"other": [["x", "a"]]}'), r"splits \['other'\] are not among"),
    ],
)
def test_a_failed_download_leaves_nothing(
    tmp_path: Path, serve: Serve, answer: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fetch(table(serve(answer)), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_closed_port_names_the_way_around(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pass --from FILE"):
        fetch(table("http://127.0.0.1:1/data_full.json"), out=tmp_path)


def test_other_schemes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not an https address"):
        fetch(table("file:///etc/passwd"), out=tmp_path)


def test_a_local_original_gives_the_same_bytes(tmp_path: Path, serve: Serve) -> None:
    source = tmp_path / "copy.json"
    source.write_bytes(CONTENT)
    local = fetch(table(), out=tmp_path / "a", source=source)
    downloaded = fetch(table(serve(ok(CONTENT))), out=tmp_path / "b")
    assert local.path.read_bytes() == downloaded.path.read_bytes()


def test_a_local_table_is_reshaped(tmp_path: Path) -> None:
    source = tmp_path / "copy.csv"
    lines = [f"{row.split},{row.text},{row.label}" for row in ROWS]
    source.write_text("\n".join(["split,text,intent", *lines]), encoding="utf-8")
    fetched = get("clinc150", out=tmp_path / "out", source=source)
    assert read(fetched.path) == ROWS
    assert fetched.sha256 is None


def test_a_local_original_that_is_another_file_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "copy.json"
    source.write_bytes(CONTENT)
    with pytest.raises(InputError, match="pinned revision"):
        get("clinc150", out=tmp_path / "out", source=source)


def test_a_local_copy_that_is_absent_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        get("clinc150", out=tmp_path, source=tmp_path / "absent.json")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    source = tmp_path / "copy.json"
    source.write_bytes(CONTENT)
    with pytest.raises(InputError, match="cannot be written"):
        fetch(table(), out=source / "out", source=source)


def test_an_unknown_name_lists_those_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="clinc150"):
        get("banking", out=tmp_path)
