"""flag > environment > project file > default, and what is wrong is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_dsl.cli.settings import CACHE_DIR, LIB, MAX_NODES, MODE, QUIET, SETTINGS, Settings
from agentic_dsl.errors import UsageError


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_the_default_holds_where_nothing_is_said(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path, {})
    assert settings.value(MODE) == "strict"
    assert str(settings.origin(MODE)) == "default"


def test_each_source_wins_over_the_one_below(tmp_path: Path) -> None:
    file = write(tmp_path, "pyproject.toml", "[tool.agentic-dsl]\nmax-nodes = 5\n")
    from_file = Settings.load(tmp_path, {})
    assert (from_file.value(MAX_NODES), str(from_file.origin(MAX_NODES))) == (5, f"file {file}")
    from_environment = Settings.load(tmp_path, {"AGENTIC_DSL_MAX_NODES": "6"})
    assert from_environment.value(MAX_NODES) == 6
    assert str(from_environment.origin(MAX_NODES)) == "environment AGENTIC_DSL_MAX_NODES"
    assert from_environment.value(MAX_NODES, 7) == 7


def test_zero_and_false_are_values(tmp_path: Path) -> None:
    write(tmp_path, "agentic-dsl.toml", "quiet = true\nmax-nodes = 3\n")
    settings = Settings.load(tmp_path, {"AGENTIC_DSL_QUIET": "no"})
    assert settings.value(QUIET) is False
    assert settings.value(MAX_NODES, 0) == 0


def test_the_own_file_wins_over_the_project_file_and_the_nearest_over_the_others(tmp_path: Path) -> None:
    write(tmp_path, "agentic-dsl.toml", "max-nodes = 1\n")
    write(tmp_path, "pyproject.toml", "[tool.agentic-dsl]\nmax-nodes = 2\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert Settings.load(below, {}).value(MAX_NODES) == 1
    write(tmp_path / "a", "pyproject.toml", '[project]\nname = "other"\n')
    assert Settings.load(below, {}).value(MAX_NODES) == 1
    write(tmp_path / "a", "pyproject.toml", "[tool.agentic-dsl]\nmax-nodes = 3\n")
    assert Settings.load(below, {}).value(MAX_NODES) == 3


def test_paths_of_a_file_are_relative_to_it(tmp_path: Path) -> None:
    write(tmp_path, "agentic-dsl.toml", 'lib = ["lib", "/other"]\ncache_dir = "caches"\n')
    below = tmp_path / "below"
    below.mkdir()
    settings = Settings.load(below, {})
    assert settings.value(LIB) == (tmp_path / "lib", Path("/other"))
    assert settings.value(CACHE_DIR) == tmp_path / "caches"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max-node = 5\n", '"max-node" in'),
        ('max-nodes = "many"\n', 'max-nodes cannot be "many"'),
        ("max-nodes = true\n", "a whole number is needed"),
        ('mode = "lax"\n', "one of strict, lenient is needed"),
        ("lib = 3\n", "a list of paths is needed"),
        ("max-nodes = \n", "is not TOML"),
    ],
)
def test_what_a_file_gets_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, "agentic-dsl.toml", text)
    with pytest.raises(UsageError) as caught:
        Settings.load(tmp_path, {})
    assert message in caught.value.message
    assert caught.value.help


def test_a_near_miss_is_suggested(tmp_path: Path) -> None:
    write(tmp_path, "agentic-dsl.toml", "max-node = 5\n")
    with pytest.raises(UsageError) as caught:
        Settings.load(tmp_path, {})
    assert caught.value.help == "write max-nodes"


def test_the_origin_of_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="environment AGENTIC_DSL_MAX_NODES"):
        Settings.load(tmp_path, {"AGENTIC_DSL_MAX_NODES": "x"})


def test_names_are_unique_and_documented() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.doc for setting in SETTINGS)
