"""A subgraph cache that cannot be used: an answer all the same, and no removal that did not happen."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import Cli

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import CacheError
from agentic_dsl.runtime.engines.base import GREEDY
from agentic_dsl.runtime.folders import cache_folder
from agentic_dsl.runtime.subgraph_cache import schema
from agentic_dsl.runtime.subgraph_cache.key import LibraryUse, cache_key
from agentic_dsl.runtime.subgraph_cache.port import CachedSubgraph
from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache

GENERATE = ("generate", "Anything.", "--engine", "random", "--max-nodes", "2", "--max-text-chars", "10", "--cached")
LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
from agentic_dsl.cli.app import main
main()
"""


def fill(*paths: str) -> None:
    cache = SqliteSubgraphCache()
    for path in paths:
        key = cache_key("t", Constraints(path=path), engine="e", sampling=GREEDY)
        cache.put(key, CachedSubgraph(text="…", engine="e", libraries=(LibraryUse("/lib/x", "1"),)))
    cache.close()


@contextmanager
def locked() -> Iterator[None]:
    other = sqlite3.connect(cache_folder() / schema.FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@pytest.mark.parametrize("options", [(), ("--path", "/dynamic")])
def test_clearing_a_locked_cache_fails_with_a_remedy(cli: Cli, options: tuple[str, ...]) -> None:
    fill("/dynamic/a")
    with locked():
        result = cli("cache", "subgraphs", "clear", *options)
        failed = cli("cache", "subgraphs", "clear", *options, "--format", "json")
    assert (result.code, failed.code) == (2, 2)
    assert "another process is writing to it" in result.err
    assert "help: try again" in result.err
    assert json.loads(failed.out)["error"]["code"] == "cache"
    assert "removed 1 subgraph" in cli("cache", "subgraphs", "clear", *options).err


@pytest.mark.parametrize("content", ['[["/lib/x","abc"]]', '[["/lib', "[7]"])
def test_a_row_whose_libraries_cannot_be_read_is_listed_and_removed_with_those_that_are_meant(
    cli: Cli, content: str
) -> None:
    fill("/dynamic/a", "/dynamic/b")
    with sqlite3.connect(cache_folder() / schema.FILE) as other:
        other.execute("UPDATE entries SET libraries = ? WHERE path = '/dynamic/a'", (content,))
    other.close()
    wanted = ("--library", "/lib/x", "--version", "1")
    assert cli("cache", "subgraphs", "ls", *wanted).out.count("\n") == 2
    assert len(json.loads(cli("cache", "subgraphs", "ls", *wanted, "--format", "json").out)["entries"]) == 2
    assert "removed 2 subgraphs" in cli("cache", "subgraphs", "clear", *wanted).err


def test_where_the_cache_cannot_be_opened_an_answer_comes_without_it_and_the_reason_is_noted(
    cli: Cli,
) -> None:
    cache_folder().mkdir(parents=True)
    (cache_folder() / schema.FILE).mkdir()  # a folder in place of the file
    result = cli(*GENERATE, "--seed", "3")
    assert result.code == 0, result.err
    assert "cannot be used: Is a directory; going on without it\nhelp: " in result.err
    assert "### AgenticDSL" in result.out
    record = json.loads(cli(*GENERATE, "--seed", "3", "--format", "json").out)
    assert (record["valid"], record["cached"]) == (True, False)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes there")
@pytest.mark.usefixtures("folder")
def test_where_no_file_can_grow_an_answer_comes_all_the_same() -> None:
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-B", "-c", LIMITED, *GENERATE, "--seed", "3"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "going on without it" in done.stderr
    assert "AGENTIC_DSL_CACHE_DIR" in done.stderr
    assert "### AgenticDSL" in done.stdout


@pytest.mark.usefixtures("folder")
def test_a_full_disk_has_a_help_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(schema, "_set_up", full)
    with pytest.raises(CacheError, match="its disk is full") as caught:
        SqliteSubgraphCache()
    assert "make room" in (caught.value.help or "")
