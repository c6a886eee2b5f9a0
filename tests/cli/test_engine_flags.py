"""Flags of engines over variables over the project file: where the servers are is said by one of them alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_dsl.cli.engine_options import EngineOptions
from agentic_dsl.cli.settings import Settings

FILE = '[engines.llm]\nbackend = "openai"\n[engines.llm.openai]\n{address}\nmodel = "m"\n'


@pytest.fixture(params=['base_url = "http://file/v1"', 'base-urls = ["http://file/v1"]'])
def settings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("BASE_URL", "BASE_URLS"):
        monkeypatch.delenv(f"AGENTIC_DSL_ENGINES_LLM_OPENAI_{name}", raising=False)
    (tmp_path / "agentic-dsl.toml").write_text(FILE.format(address=request.param), encoding="utf-8")
    return Settings.load(tmp_path, {})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (EngineOptions(base_url=["http://flag/v1"]), {"base_urls": ["http://flag/v1"]}),
        (EngineOptions(engine_option=["base-url=http://flag/v1"]), {"base_url": "http://flag/v1"}),
        (EngineOptions(engine_option=["base_urls=http://flag/v1"]), {"base_urls": "http://flag/v1"}),
    ],
)
@pytest.mark.parametrize("variable", [None, "BASE_URL", "BASE_URLS"])
def test_a_flag_replaces_the_servers_of_the_file_and_the_variables(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    options: EngineOptions,
    expected: dict[str, object],
    variable: str | None,
) -> None:
    if variable is not None:
        monkeypatch.setenv(f"AGENTIC_DSL_ENGINES_LLM_OPENAI_{variable}", "http://variable/v1")
    assert options.to_config(settings).options == {"model": "m"} | expected


@pytest.mark.parametrize("variable", ["base_url", "base_urls"])
def test_a_variable_replaces_the_servers_of_the_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(f"AGENTIC_DSL_ENGINES_LLM_OPENAI_{variable.upper()}", "http://variable/v1")
    assert EngineOptions().to_config(settings).options == {"model": "m", variable: "http://variable/v1"}


def test_two_flags_are_of_one_source_and_meant_both(settings: Settings) -> None:
    options = EngineOptions(base_url=["http://a/v1"], engine_option=["base_url=http://b/v1"])
    assert options.to_config(settings).options == {
        "model": "m",
        "base_url": "http://b/v1",
        "base_urls": ["http://a/v1"],
    }
