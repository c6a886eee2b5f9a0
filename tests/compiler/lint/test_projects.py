"""Files that are linted together: what they can call, what clashes among them, and what a cache keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentic_dsl.compiler.lint import cache
from agentic_dsl.compiler.lint.examples import contract, subgraph
from agentic_dsl.compiler.lint.project import Project
from agentic_dsl.compiler.lint.report import judged
from agentic_dsl.compiler.sources import document_of, source_of
from agentic_dsl.span import MAX_BYTES

LIBRARY = contract("(request: string) -> {answer: string}", "/lib/utils/ask").encode()
CALLER = subgraph("""
- {id: work, type: assign, assign: {request: "ok?"}, next: [/lib/utils/ask, /main/p/done]}
- {id: done, type: end, output_keys: [answer]}
""").encode()


def _codes(files: dict[str, bytes], libraries: tuple[str, ...] = ()) -> dict[str, list[str]]:
    linted = Project(files, libraries).lint()
    return {name: [f.diagnostic.code for f in judged(found)] for name, found in linted.items()}


def test_files_that_are_linted_together_can_call_each_other() -> None:
    assert _codes({"app.md": CALLER}) == {"app.md": ["ADL301"]}
    assert _codes({"app.md": CALLER, "ask.md": LIBRARY}) == {"app.md": [], "ask.md": []}


def test_a_library_beside_them_can_be_called_and_is_not_judged() -> None:
    undescribed = LIBRARY.partition(b"\n\n")[2]
    assert _codes({"app.md": CALLER, "lib.md": undescribed}, ("lib.md",)) == {"app.md": []}
    assert _codes({"app.md": CALLER, "lib.md": undescribed}) == {"app.md": [], "lib.md": ["ADL803"]}


def test_two_files_that_define_one_path_clash_in_both() -> None:
    other = LIBRARY.replace(b"string}", b"any}")
    assert _codes({"a.md": LIBRARY, "b.md": other}) == {"a.md": ["ADL202"], "b.md": ["ADL202"]}
    assert _codes({"a.md": LIBRARY, "b.md": other.replace(b'"1.0"', b'"2.0"')}) == {"a.md": [], "b.md": []}


def test_whatever_bytes_a_file_holds_there_is_a_finding_and_no_exception() -> None:
    assert _codes({"x.md": b"\xff\xfe\x00"})["x.md"][0] == "ADL002"
    assert _codes({"x.md": b"x" * (MAX_BYTES + 1)}) == {"x.md": ["ADL001"]}
    assert document_of(b"", "x.md").blocks == ()


def test_results_come_back_from_the_cache_as_they_were(tmp_path: Path) -> None:
    files = {
        "app.md": CALLER.replace(b"/main/p/done]", b"done]"),
        "x.md": b"<!-- adl: ignore ADL853 -->\n\n" + LIBRARY,
    }
    found = Project(files).lint()
    sources = {name: source_of(raw, name) for name, raw in files.items()}
    cache.store(tmp_path / "new", "key", found)
    loaded = cache.load(tmp_path / "new", "key", sources)
    assert loaded is not None
    assert {name: linted.findings for name, linted in loaded.items()} == {
        n: linted.findings for n, linted in found.items()
    }
    assert {n: judged(linted) for n, linted in loaded.items()} == {n: judged(linted) for n, linted in found.items()}
    assert any(f.fix for f in loaded["app.md"].findings)


def test_the_key_of_a_set_changes_with_every_name_content_mode_and_role() -> None:
    files = {"a.md": b"1", "b.md": b"2"}
    keys = {
        cache.set_digest(files, (), "strict"),
        cache.set_digest(files, (), "lenient"),
        cache.set_digest(files, ("b.md",), "strict"),
        cache.set_digest({"a.md": b"1", "b.md": b"3"}, (), "strict"),
        cache.set_digest({"a.md": b"1", "c.md": b"2"}, (), "strict"),
        cache.set_digest({"a.md": b"12", "b.md": b""}, (), "strict"),
    }
    assert len(keys) == 6
    assert cache.set_digest(dict(reversed(files.items())), (), "strict") in keys


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"x.md": 1}', b'{"x.md": {"findings": [[1]], "suppressions": []}}', b"\xff"]
)
def test_a_damaged_entry_is_a_miss(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "key.json").write_bytes(damage)
    assert cache.load(tmp_path, "key", {"x.md": source_of(b"", "x.md")}) is None


def test_the_oldest_entries_go_and_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    for number in range(cache.MOST + 3):
        cache.store(tmp_path / "many", str(number), {})
    assert len(list((tmp_path / "many").glob("*.json"))) == cache.MOST
    (tmp_path / "file").write_text("")
    cache.store(tmp_path / "file", "key", {})


def test_entries_hold_plain_data(tmp_path: Path) -> None:
    cache.store(tmp_path, "key", Project({"app.md": CALLER}).lint())
    record = json.loads((tmp_path / "key.json").read_text())
    assert record["app.md"]["findings"][0][0] == "ADL301"
