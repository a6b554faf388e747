import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.errors import BundleError
from trimtab.records import Bundle
from trimtab.release.bundle import load, load_shipped, pack

Manifest = dict[str, Any]


def packed(folder: Path, **changes: Any) -> Bundle:
    values: dict[str, Any] = {
        "domain": "desk",
        "files": {"head.onnx": b"weights", "labels.json": b"[]"},
        "thresholds": {"accept": 0.8},
        "metrics": {"accuracy": 0.93},
        "card": "# Desk\n",
        "spec": {"labels": ["a", "b"], "layers": [{"width": 3}]},
    }
    return pack(folder, **{**values, **changes})


def edit(folder: Path, change: Callable[[Manifest], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_packed_is_loaded(tmp_path: Path) -> None:
    bundle = packed(tmp_path / "new" / "b", parent="0" * 64)
    loaded = load(tmp_path / "new" / "b", domain="desk")
    assert loaded.bundle == bundle
    assert loaded.read("head.onnx") == b"weights"
    assert loaded.read("card.md") == b"# Desk\n"
    assert loaded.spec == {"labels": ["a", "b"], "layers": [{"width": 3}]}
    assert bundle.thresholds == {"accept": 0.8}
    assert bundle.metrics == {"accuracy": 0.93}
    assert bundle.parent == "0" * 64
    assert sorted(bundle.files) == ["card.md", "head.onnx", "labels.json"]


def test_nothing_but_the_bundle_is_left(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_the_id_is_the_hash_of_the_manifest(tmp_path: Path) -> None:
    bundle = packed(tmp_path / "b")
    manifest = (tmp_path / "b" / "manifest.json").read_bytes()
    assert bundle.bundle_id == hashlib.sha256(manifest).hexdigest()


def test_the_same_things_give_the_same_bytes(tmp_path: Path) -> None:
    first = packed(tmp_path / "a")
    second = packed(tmp_path / "b", files={"labels.json": b"[]", "head.onnx": b"weights"})
    assert first == second
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": "shop"},
        {"files": {"head.onnx": b"other"}},
        {"thresholds": {"accept": 0.81}},
        {"metrics": {}},
        {"card": "# Other"},
        {"spec": {}},
        {"parent": "1" * 64},
    ],
)
def test_any_difference_gives_another_id(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert packed(tmp_path / "a") != packed(tmp_path / "b", **changes)


def test_packing_again_returns_what_lies_there(tmp_path: Path) -> None:
    first = packed(tmp_path / "b")
    inode = (tmp_path / "b" / "manifest.json").stat().st_ino
    assert packed(tmp_path / "b") == first
    assert (tmp_path / "b" / "manifest.json").stat().st_ino == inode


def test_another_bundle_is_never_replaced(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    before = contents(tmp_path / "b")
    with pytest.raises(BundleError, match="never replaced in place, give another folder"):
        packed(tmp_path / "b", card="# Other")
    assert contents(tmp_path / "b") == before


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"holds \['notes.txt'\], which is no bundle"):
        packed(tmp_path)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_a_file_in_the_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    with pytest.raises(BundleError, match="is a file"):
        packed(tmp_path / "b")


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert packed(tmp_path / "b") == load(tmp_path / "b").bundle


def test_a_place_that_cannot_be_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BundleError, match="cannot be written"):
        packed(tmp_path / "file" / "b")
    assert contents(tmp_path) == {"file": b"mine"}


@pytest.mark.parametrize(
    "name",
    ["../up", "a/b", "a\\b", "/etc/passwd", "", ".", "..", ".hidden", "C:x", "a\0", "a\nb", "é"],
)
def test_names_that_could_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="cannot be used"):
        packed(tmp_path / "b", files={name: b""})
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("name", ["manifest.json", "card.md", "Manifest.JSON", "HEAD.onnx"])
def test_reserved_and_twin_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="reserved or differs from another only in case"):
        packed(tmp_path / "b", files={"head.onnx": b"", name: b""})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresholds": {"accept": 1.1}}, r"thresholds\['accept'\]=1.1 is not in \[0, 1\]"),
        ({"thresholds": {"accept": -0.1}}, r"thresholds\['accept'\]"),
        ({"thresholds": {"accept": float("nan")}}, r"thresholds\['accept'\]=nan"),
        ({"thresholds": {"accept": "0.5"}}, r"thresholds\['accept'\]='0.5'"),
        ({"thresholds": {"accept": None}}, r"thresholds\['accept'\]=None"),
        ({"metrics": {"ece": float("inf")}}, r"metrics\['ece'\]=inf"),
        ({"domain": " "}, "domain is empty"),
        ({"parent": "abc"}, "parent='abc' is not a sha256"),
        ({"spec": {"labels": {1, 2}}}, "spec is not plain JSON"),
        ({"spec": {"x": float("nan")}}, "spec is not plain JSON"),
    ],
)
def test_what_makes_no_bundle_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        packed(tmp_path / "b", **changes)
    assert not list(tmp_path.iterdir())


def test_numbers_of_numpy_are_taken(tmp_path: Path) -> None:
    bundle = packed(tmp_path / "b", thresholds={"accept": np.float32(0.5)})
    assert bundle.thresholds == {"accept": 0.5}


def test_no_bundle_at_all_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest.json is missing; check the path"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_broken_manifest_is_said(tmp_path: Path, content: bytes) -> None:
    packed(tmp_path / "b")
    (tmp_path / "b" / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"manifest.json is not JSON"):
        load(tmp_path / "b")


def test_another_domain_is_refused(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    with pytest.raises(BundleError, match="domain='desk', not 'shop'"):
        load(tmp_path / "b", domain="shop")


def test_an_altered_file_is_named(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    (tmp_path / "b" / "head.onnx").write_bytes(b"wEights")
    with pytest.raises(BundleError, match=r"head.onnx was altered .*copy the bundle again"):
        load(tmp_path / "b")


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    (tmp_path / "b" / "head.onnx").write_bytes(b"weigh")
    with pytest.raises(BundleError, match=r"head.onnx has 5 bytes, the manifest says 7"):
        load(tmp_path / "b")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    (tmp_path / "b" / "card.md").unlink()
    with pytest.raises(BundleError, match=r"card.md is missing"):
        load(tmp_path / "b")


def test_an_extra_file_is_named(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    (tmp_path / "b" / "extra.bin").write_bytes(b"")
    with pytest.raises(BundleError, match=r"extra.bin does not belong to the bundle; remove it"):
        load(tmp_path / "b")


def test_a_link_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    moved = (tmp_path / "b" / "head.onnx").rename(tmp_path / "head.onnx")
    (tmp_path / "b" / "head.onnx").symlink_to(moved)
    with pytest.raises(BundleError, match="no plain file"):
        load(tmp_path / "b")


def test_thresholds_of_another_bundle_are_refused(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    packed(tmp_path / "other", files={"head.onnx": b"other"}, thresholds={"accept": 0.1})
    other = json.loads((tmp_path / "other" / "manifest.json").read_text())
    edit(
        tmp_path / "b",
        lambda manifest: manifest.update(
            thresholds=other["thresholds"], fitted_on=other["fitted_on"]
        ),
    )
    with pytest.raises(BundleError, match="thresholds were changed, or fitted on other weights"):
        load(tmp_path / "b")


def test_changed_threshold_is_refused(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    edit(tmp_path / "b", lambda manifest: manifest["thresholds"].update(accept=0.123))
    with pytest.raises(BundleError, match="thresholds were changed"):
        load(tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema="trimtab.bundle/2"), "newer than 1.*upgrade trimtab"),
        (lambda m: m.update(schema="other/1"), "schema='other/1'"),
        (lambda m: m.pop("schema"), "schema=None"),
        (lambda m: m.pop("spec"), r"fields \['spec'\] are missing"),
        (lambda m: m.update(files=[]), r"files=\[\] is a list, not a dict"),
        (lambda m: m.update(domain=3), "domain=3 is a int"),
        (lambda m: m["files"].update({"../x": m["files"]["card.md"]}), "'../x' cannot be used"),
        (lambda m: m["files"]["card.md"].pop("size"), "lacks sha256 or size"),
        (lambda m: m["files"].update(a=None), "lacks sha256 or size"),
        (lambda m: m["thresholds"].update(accept=2), r"thresholds\['accept'\]=2"),
        (lambda m: m["thresholds"].update(accept=float("nan")), r"thresholds\['accept'\]=nan"),
        (lambda m: m["thresholds"].update(accept=True), r"thresholds\['accept'\]=True"),
        (lambda m: m.update(fitted_on="x"), "fitted_on='x' is not a sha256"),
    ],
)
def test_a_manifest_that_cannot_hold_is_said(
    tmp_path: Path, change: Callable[[Manifest], object], message: str
) -> None:
    packed(tmp_path / "b")
    edit(tmp_path / "b", change)
    with pytest.raises(BundleError, match=message):
        load(tmp_path / "b")


def test_a_file_altered_after_loading_is_not_read(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    loaded = load(tmp_path / "b")
    (tmp_path / "b" / "head.onnx").write_bytes(b"wEights")
    with pytest.raises(BundleError, match="was altered"):
        loaded.read("head.onnx")


def test_a_file_that_the_bundle_lacks_lists_its_files(tmp_path: Path) -> None:
    packed(tmp_path / "b")
    with pytest.raises(BundleError, match=r"it has .*labels.json"):
        load(tmp_path / "b").read("../b/head.onnx")


def test_an_unknown_shipped_bundle_is_said() -> None:
    with pytest.raises(BundleError, match=r"no bundle '../x' is shipped"):
        load_shipped("../x")
