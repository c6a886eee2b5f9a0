"""`cache subgraphs`: what is there, and removing it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Cli

from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.engines.base import GREEDY
from agentic_dsl.runtime.folders import cache_folder
from agentic_dsl.runtime.subgraph_cache.key import LibraryUse, cache_key
from agentic_dsl.runtime.subgraph_cache.port import CachedSubgraph
from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache


@pytest.fixture
def filled(folder: Path) -> None:
    cache = SqliteSubgraphCache()
    for path, version in (("/dynamic/a", "1.2"), ("/dynamic/a/b", "2"), ("/dynamic/ab", "1")):
        key = cache_key("t", Constraints(path=path), engine="e/m\x1b[31m", sampling=GREEDY)
        uses = (LibraryUse("/lib/x/y", version),)
        cache.put(key, CachedSubgraph(text="…", engine=key.engine, libraries=uses))
    cache.close()


def paths(cli: Cli, *options: str) -> list[str]:
    record = json.loads(cli("cache", "subgraphs", "ls", *options, "--format", "json").out)
    return sorted(entry["path"] for entry in record["entries"])


def test_looking_at_no_cache_makes_none(cli: Cli) -> None:
    assert cli("cache", "subgraphs", "ls").out == ""
    assert cli("cache", "subgraphs", "stats").out == "0 subgraphs, 0 B\n"
    assert cli("cache", "subgraphs", "clear").code == 0
    assert not cache_folder().exists()


@pytest.mark.usefixtures("filled")
def test_entries_are_listed_with_path_engine_and_libraries(cli: Cli) -> None:
    lines = cli("cache", "subgraphs", "ls").out.splitlines()
    assert len(lines) == 3
    assert all("\x1b" not in line and "e/m" in line for line in lines)
    record = json.loads(cli("cache", "subgraphs", "ls", "--path", "/dynamic/a/b", "--format", "json").out)
    [entry] = record["entries"]
    assert entry["libraries"] == [{"path": "/lib/x/y", "version": "2"}]
    assert record["file"].endswith("subgraphs-v1.sqlite3")


@pytest.mark.usefixtures("filled")
def test_clearing_by_path_and_by_library_version_leaves_the_rest(cli: Cli) -> None:
    result = cli("cache", "subgraphs", "clear", "--library", "/lib/x", "--version", "1", "--format", "json")
    assert json.loads(result.out)["removed"] == 2
    assert paths(cli) == ["/dynamic/a/b"]
    assert "removed 1 subgraph" in cli("cache", "subgraphs", "clear", "--path", "/dynamic/a").err
    assert paths(cli) == []


@pytest.mark.usefixtures("filled")
def test_clearing_without_options_removes_everything(cli: Cli) -> None:
    assert json.loads(cli("cache", "subgraphs", "stats", "--format", "json").out)["entries"] == 3
    assert "removed 3 subgraphs" in cli("cache", "subgraphs", "clear").err
    assert cli("cache", "subgraphs", "stats").out.startswith("0 subgraphs")


@pytest.mark.parametrize("command", ["ls", "clear"])
def test_a_version_without_a_library_is_refused(cli: Cli, command: str) -> None:
    result = cli("cache", "subgraphs", command, "--version", "1")
    assert result.code == 2
    assert "help:" in result.err


def test_a_file_that_is_no_cache_is_made_anew_without_a_word_of_sqlite(cli: Cli) -> None:
    cache_folder().mkdir(parents=True)
    (cache_folder() / "subgraphs-v1.sqlite3").write_bytes(b"garbage" * 1000)
    result = cli("cache", "subgraphs", "stats")
    assert (result.code, result.out.split(",")[0]) == (0, "0 subgraphs")
