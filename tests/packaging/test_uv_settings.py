"""pip's settings reach uv, whose environment stays the one that was asked for."""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "scripts" / "uv.py"


def environment(listing: str) -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("uv_settings", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, str] = module.environment(listing)
    return found


def test_each_setting_has_its_name_in_uv_and_the_environment_wins() -> None:
    found = environment(
        ":env:.find-links='/a'\n"
        "global.extra-index-url='file:///b file:///c'\n"
        "global.find-links='/d\\n/e'\n"
        "global.index-url='https://mirror.example/simple'\n"
        "install.no-clean='true'\n"
    )
    assert found == {
        "UV_FIND_LINKS": "/a",
        "UV_INDEX": "file:///b file:///c",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    assert environment("global.find-links='/d\\n/e'")["UV_FIND_LINKS"] == "/d,/e"


def test_without_settings_uv_asks_what_pip_would() -> None:
    assert environment("") == {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def test_uv_works_on_the_environment_of_the_python_that_runs_it_and_on_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Left to itself, uv takes the ``.venv`` of the current folder."""
    called: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setenv("VIRTUAL_ENV", "/another")
    monkeypatch.setattr(sys, "argv", ["uv.py", "pip", "install", "x"])
    monkeypatch.setattr(os, "execve", lambda path, words, variables: called.append((words, variables)))
    runpy.run_path(str(PATH), run_name="__main__")
    words, variables = called[0]
    assert words[1:] == ["pip", "install", "x"]
    assert Path(words[0]).parent == Path(sys.executable).parent
    assert variables["VIRTUAL_ENV"] == sys.prefix
