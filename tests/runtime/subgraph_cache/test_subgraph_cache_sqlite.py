"""The SQLite file: shared by processes, private to its owner, and never believed."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import CacheError
from agentic_dsl.runtime.engines.base import GREEDY
from agentic_dsl.runtime.subgraph_cache.codec import checksum, encode
from agentic_dsl.runtime.subgraph_cache.key import CacheKey, LibraryUse, cache_key
from agentic_dsl.runtime.subgraph_cache.port import CachedSubgraph, Selection
from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache

ROOT = Path(__file__).resolve().parents[3]
VALUE = CachedSubgraph(text="text", engine="e/m", token_ids=(1, 2, 3))


def key(name: str = "task") -> CacheKey:
    return cache_key(name, Constraints(), engine="e/m", sampling=GREEDY)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "c.sqlite3"


@pytest.fixture
def cache(file: Path) -> Iterator[SqliteSubgraphCache]:
    cache = SqliteSubgraphCache(file)
    yield cache
    cache.close()


def works(cache: SqliteSubgraphCache) -> bool:
    return cache.put(key("after"), VALUE) and cache.get(key("after")) is not None


def test_the_default_file_is_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTIC_DSL_CACHE_DIR", str(tmp_path))
    cache = SqliteSubgraphCache()
    assert cache.path == tmp_path / "subgraphs-v1.sqlite3"
    cache.close()


def test_its_files_are_its_owners_alone(cache: SqliteSubgraphCache, file: Path) -> None:
    cache.put(key(), VALUE)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_a_file_that_others_could_read_is_closed_to_them(file: Path) -> None:
    SqliteSubgraphCache(file).close()
    file.chmod(0o644)
    SqliteSubgraphCache(file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_entries_survive_a_close(cache: SqliteSubgraphCache, file: Path) -> None:
    cache.put(key(), VALUE)
    cache.close()
    again = SqliteSubgraphCache(file)
    assert again.get(key()) == replace(VALUE, created=again.ls()[0].created)
    again.close()


@pytest.mark.parametrize("damage", ["header", "middle", "all", "short", "empty", "text"])
def test_a_damaged_file_is_a_miss_and_is_made_anew(
    cache: SqliteSubgraphCache, file: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(50):
        cache.put(key(str(number)), VALUE)
    cache.close()
    content = bytearray(file.read_bytes())
    match damage:
        case "header":
            content[:100] = bytes(100)
        case "middle":
            for start in range(4096, len(content), 4096):
                content[start : start + 200] = b"\xff" * 200
        case "all":
            content = bytearray(os.urandom(len(content)))
        case "short":
            content = content[: len(content) // 2 + 1000]
        case "empty":
            content = bytearray()
        case _:
            content = bytearray(b"this is no database" * 500)
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        damaged = SqliteSubgraphCache(file)
        for number in range(50):
            assert damaged.get(key(str(number))) is None or damage in ("short", "middle")
        damaged.ls()
        damaged.warm_up(["/"])
        assert damaged.invalidate("/dynamic/none") == 0
        assert works(damaged) or works(damaged)  # the first write may be what finds the damage
    damaged.close()


def test_a_file_that_is_damaged_while_it_is_open_is_a_miss(cache: SqliteSubgraphCache, file: Path) -> None:
    cache.put(key(), VALUE)
    sqlite3.connect(file).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    with file.open("r+b") as stream:
        stream.write(os.urandom(file.stat().st_size))
    cache.get(key())  # may still be answered from memory
    cache.put(key("b"), VALUE)
    assert works(cache) or works(cache)


def test_a_bit_that_flipped_in_an_entry_is_a_miss_and_removes_it(cache: SqliteSubgraphCache, file: Path) -> None:
    cache.put(key(), VALUE)
    with sqlite3.connect(file) as other:
        other.execute("UPDATE entries SET payload = CAST(replace(CAST(payload AS TEXT), 'text', 'tent') AS BLOB)")
    other.close()
    assert cache.get(key()) is None
    assert (cache.stats().damaged, cache.stats().entries, cache.stats().hits) == (1, 0, 0)
    assert works(cache)


def test_an_entry_of_another_key_is_a_miss(cache: SqliteSubgraphCache, file: Path) -> None:
    cache.put(key("a"), VALUE)
    with sqlite3.connect(file) as other:
        other.execute("UPDATE entries SET digest = ?", (key("b").digest,))
    other.close()
    assert cache.get(key("b")) is None


PAYLOADS = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"[" * 100_000,
    encode(VALUE).replace(b'"format":2', b'"format":1'),
    encode(VALUE).replace(b'"text":"text"', b'"text":5'),
    encode(VALUE).replace(b'"created":0.0', b'"created":"soon"'),
    encode(VALUE).replace(b'"created":0.0', b'"created":NaN'),
    encode(VALUE).replace(b'"report":[]', b'"report":[["a","magic","b",null]]'),
    encode(VALUE).replace(b'"libraries":[]', b'"libraries":[1]'),
    encode(VALUE).replace(b'"libraries":[]', b'"libraries":[["lib/a",null]]'),
    encode(VALUE).replace(b'"skills":[]', b'"skills":"ab"'),
    encode(VALUE).replace(b'"skills":[]', b'"skills":[1]'),
    encode(VALUE).replace(b'"skills":[],', b""),
    encode(VALUE).replace(b'"prompt_token_ids":0', b'"prompt_token_ids":1'),
    encode(VALUE).replace(b'"token_ids":3,"prompt_token_ids":0', b'"token_ids":-1,"prompt_token_ids":4'),
    encode(VALUE).replace(b'"token_ids":3,"prompt_token_ids":0', b'"token_ids":4,"prompt_token_ids":-1'),
    encode(VALUE).replace(b'"token_ids":3', b'"token_ids":"3"'),
    encode(VALUE).replace(b'"token_ids":3', b'"token_ids":1e999'),
    encode(VALUE)[:-4],
    encode(VALUE) + b"\0",
    encode(VALUE).replace(b'"tokens":0', b'"tokens":1e999'),
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: str(payload[:20]))
def test_an_entry_that_was_forged_with_its_digest_is_read_field_by_field(
    cache: SqliteSubgraphCache, file: Path, payload: bytes
) -> None:
    assert payload != encode(VALUE)
    cache.put(key(), VALUE)
    with sqlite3.connect(file) as other:
        other.execute("UPDATE entries SET payload = ?, checksum = ?", (payload, checksum(key().digest, payload)))
    other.close()
    assert cache.get(key()) is None
    assert works(cache)


@pytest.mark.parametrize("column", ["path", "engine", "libraries", "created", "used", "checksum", "payload"])
@pytest.mark.parametrize("content", [None, 5, 1e400, "\ud7ff'x", b"\xff\xfe"], ids=repr)
def test_columns_of_other_types_are_no_exception(
    cache: SqliteSubgraphCache, file: Path, column: str, content: object
) -> None:
    cache.put(key(), VALUE)
    with sqlite3.connect(file) as other:
        other.execute(f"UPDATE entries SET {column} = ?", (content,))
        other.execute(f"UPDATE entries SET {column} = CAST(? AS TEXT) WHERE ? IS NOT NULL", (content, content))
    other.close()
    cache.ls()
    cache.warm_up(["/dynamic"])
    cache.invalidate(library="/lib/a")
    cache.get(key())
    assert works(cache)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END",
        "CREATE VIEW v AS SELECT * FROM entries",
        "DROP TABLE leases",
        "DROP INDEX entries_used",
        "ALTER TABLE entries ADD COLUMN more TEXT",
        "PRAGMA user_version = 7",
        "PRAGMA application_id = 7",
    ],
)
def test_a_file_of_another_layout_is_made_anew(cache: SqliteSubgraphCache, file: Path, statement: str) -> None:
    cache.put(key(), VALUE)
    cache.close()
    sqlite3.connect(file).execute(statement).connection.close()
    again = SqliteSubgraphCache(file)
    assert again.get(key()) is None
    assert works(again)
    again.close()


def test_a_table_that_vanishes_while_it_is_open_is_a_miss(cache: SqliteSubgraphCache, file: Path) -> None:
    sqlite3.connect(file).execute("DROP TABLE entries").connection.close()
    assert cache.get(key()) is None
    assert works(cache)


def test_a_file_that_vanishes_while_it_is_open_is_no_exception(cache: SqliteSubgraphCache, file: Path) -> None:
    cache.put(key(), VALUE)
    for path in file.parent.iterdir():
        path.unlink()
    cache.get(key())
    cache.put(key("b"), VALUE)
    cache.close()
    again = SqliteSubgraphCache(file)
    assert works(again)
    again.close()


def test_a_writer_that_holds_the_lock_is_not_waited_for_long(file: Path) -> None:
    cache = SqliteSubgraphCache(file, busy_seconds=0.1, touch_seconds=0)
    cache.put(key(), VALUE)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert cache.get(key()) is not None  # readers do not wait, and its mark of use is given up
    assert not cache.put(key("b"), VALUE)
    assert cache.lease(key("c"))
    for remove in (cache.clear, lambda: cache.invalidate("/dynamic")):
        with pytest.raises(CacheError, match="another process is writing") as caught:
            remove()
        assert "try again" in (caught.value.help or "")
    other.execute("ROLLBACK")
    other.close()
    assert works(cache)
    cache.close()


def test_a_lock_that_does_not_come_is_waited_for_once(file: Path) -> None:
    cache = SqliteSubgraphCache(file, busy_seconds=0.3)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    for number in range(20):
        assert cache.lease(key(str(number)))
        assert not cache.put(key(str(number)), VALUE)
    assert 0.3 <= time.monotonic() - started < 3
    other.execute("ROLLBACK")
    other.close()
    assert works(cache)
    cache.close()


def test_what_was_closed_is_not_said_to_be_cleared(cache: SqliteSubgraphCache) -> None:
    cache.put(key(), VALUE)
    cache.close()
    for remove in (cache.clear, lambda: cache.invalidate("/dynamic")):
        with pytest.raises(CacheError, match="closed"):
            remove()


@pytest.mark.parametrize("column", ["digest", "path", "libraries"])
@pytest.mark.parametrize(
    "content", ['[["/lib/x","abc"]]', '[["/lib/y"', "[1]", "[[5,null]]", "null", None, b"\xff"], ids=repr
)
def test_a_row_that_cannot_be_read_counts_as_meant_and_blocks_no_other(
    cache: SqliteSubgraphCache, file: Path, column: str, content: object
) -> None:
    for name, library in (("bad", "/lib/x"), ("meant", "/lib/x"), ("other", "/lib/other")):
        cache.put(key(name), replace(VALUE, libraries=(LibraryUse(library, "1"),)))
    with sqlite3.connect(file) as other:
        other.execute(f"UPDATE entries SET {column} = ? WHERE digest = ?", (content, key("bad").digest))
    other.close()
    selection = Selection("/dynamic", "/lib/x", "1")
    assert sum(selection.holds(entry.path, entry.libraries) for entry in cache.ls()) == 2
    assert cache.invalidate("/dynamic", library="/lib/x", version="1") == 2
    assert [cache.get(key(name)) is not None for name in ("bad", "meant", "other")] == [False, False, True]
    assert len(cache.ls()) == 1


def test_a_path_that_cannot_be_used_at_all_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CacheError) as caught:
        SqliteSubgraphCache(tmp_path / "file" / "c.sqlite3")
    assert "AGENTIC_DSL_CACHE_DIR" in (caught.value.help or "")
    with pytest.raises(CacheError):
        SqliteSubgraphCache(tmp_path)


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "c.sqlite3").symlink_to(target)
    with pytest.raises(CacheError):
        SqliteSubgraphCache(tmp_path / "c.sqlite3")
    assert target.read_text() == "precious"


CHILD = """
import os
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from pathlib import Path
from test_subgraph_cache_sqlite import VALUE, CacheError, key
from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache
key()  # imports what cannot be read later
if {unprivileged} and os.geteuid() == 0:  # permissions mean nothing to root
    os.setgid(65534)
    os.setuid(65534)
cache = SqliteSubgraphCache(Path(sys.argv[1]))
"""


def child(body: str, *arguments: object, unprivileged: bool = False) -> subprocess.Popen[str]:
    tests = str(Path(__file__).parent)
    code = CHILD.format(root=str(ROOT), tests=tests, unprivileged=unprivileged) + body
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_folder_that_cannot_be_written_is_read() -> None:
    with tempfile.TemporaryDirectory() as name:  # the folders of pytest are closed to other users
        file = Path(name, "c.sqlite3")
        cache = SqliteSubgraphCache(file)
        cache.put(key(), VALUE)
        cache.close()
        file.chmod(0o444)
        file.parent.chmod(0o555)
        body = """
print(cache.get(key()) is not None, cache.put(key("b"), VALUE), cache.lease(key("c")))
for remove in (cache.clear, lambda: cache.invalidate("/dynamic")):
    try:
        print(remove())
    except CacheError as error:
        print("writable" in error.help)
"""
        printed, _ = child(body, file, unprivileged=True).communicate(timeout=60)
        file.parent.chmod(0o755)
    assert printed.split() == ["True", "False", "True", "True", "True"]


def test_two_processes_share_a_file_while_both_write(cache: SqliteSubgraphCache, file: Path) -> None:
    body = """
name = sys.argv[2]
for number in range(150):
    assert cache.put(key(f"{name}{number}"), VALUE)
print(sum(cache.get(key(f"{name}{number}")) is not None for number in range(150)))
"""
    processes = [child(body, file, name) for name in "ab"]
    for number in range(50):
        assert cache.put(key(f"own{number}"), VALUE)
    assert [process.communicate(timeout=90)[0].strip() for process in processes] == ["150", "150"]
    assert cache.stats().entries == 350
    assert cache.get(key("a7")) is not None


def test_a_lease_keeps_other_processes_waiting_until_the_entry_is_there(cache: SqliteSubgraphCache, file: Path) -> None:
    process = child("print(cache.lease(key()), flush=True)\ninput()\nprint(cache.put(key(), VALUE))", file)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "True"
    assert cache.leased(key())
    assert not cache.lease(key())
    assert cache.lease(key("other"))
    printed, _ = process.communicate("go\n", timeout=60)
    assert printed.strip() == "True"
    assert not cache.leased(key())
    assert not cache.lease(key())  # the entry is there: nobody has to generate it
    assert cache.get(key()) is not None


def test_a_lease_ends_with_its_process(cache: SqliteSubgraphCache, file: Path) -> None:
    process = child("print(cache.lease(key()), flush=True)\ninput()", file)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "True"
    assert cache.leased(key())
    process.kill()
    process.communicate()
    assert not cache.leased(key())
    assert cache.lease(key())


def test_a_lease_ends_with_its_time_and_when_it_is_released(file: Path) -> None:
    now = [1000.0]
    one, two = (SqliteSubgraphCache(file, clock=lambda: now[0], lease_seconds=10) for _ in range(2))
    assert one.lease(key())
    assert one.lease(key())  # its own
    assert not two.lease(key())
    now[0] += 11
    assert two.lease(key())
    two.release(key())
    one.release(key())
    assert not one.leased(key())
    one.close()
    two.close()


@pytest.mark.parametrize(
    "row", [("-1:x", 1e5), ("999999999999:x", 1e5), ("x", 1e5), (None, None), ("1:x", 1e300), (b"\xff", "soon")]
)
def test_a_forged_lease_blocks_nobody(file: Path, row: tuple[object, object]) -> None:
    cache = SqliteSubgraphCache(file, clock=lambda: 99_999.0)
    with sqlite3.connect(file) as other:
        other.execute("INSERT INTO leases VALUES (?, ?, ?)", (key().digest, *row))
    other.close()
    assert cache.lease(key())
    cache.close()
