"""One configuration: files, variables, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_dsl.errors import EngineError, UsageError
from agentic_dsl.runtime.call_options import checked_options, settable
from agentic_dsl.runtime.config import EngineConfig, config_of, load_config
from agentic_dsl.runtime.engines.random import RandomEngine

TOML = """
[engines.llm]
backend = "random"

[engines.llm.random]
model = "bytes"
closing-boost = 5

[engines.llm.openai]
base_urls = ["http://localhost:8000/v1"]

[batch]
max_batch_size = 4
"""

YAML = """
engines:
  llm:
    backend: random
    random: {model: bytes, closing-boost: 5}
    openai:
      base_urls: ["http://localhost:8000/v1"]
batch:
  max_batch_size: 4
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("engines.toml", TOML),
        ("engines.yaml", YAML),
        (
            "pyproject.toml",
            TOML.replace("[batch]", "[tool.agentic-dsl.batch]").replace("[engines", "[tool.agentic-dsl.engines"),
        ),
    ],
)
def test_a_file_says_the_same_in_every_format(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    config = load_config(file, {})
    assert config.backend == "random"
    assert config.options == {"model": "bytes", "closing-boost": 5}
    assert config.sections["openai"] == {"base_urls": ["http://localhost:8000/v1"]}
    assert config.batch == {"max_batch_size": 4}


def test_without_anything_the_first_engine_runs_with_its_defaults() -> None:
    assert load_config(None, {}) == EngineConfig(backend="transformers")


def test_variables_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "engines.toml"
    file.write_text(TOML, encoding="utf-8")
    config = load_config(
        file,
        {
            "AGENTIC_DSL_ENGINES_LLM_BACKEND": "openai",
            "AGENTIC_DSL_ENGINES_LLM_OPENAI_BASE_URLS": "http://a/v1,http://b/v1",
            "AGENTIC_DSL_BATCH_MAX_WAIT": "0.5",
            "AGENTIC_DSL_MODEL": "belongs to somebody else",
        },
    )
    assert config.backend == "openai"
    assert config.options == {"base_urls": "http://a/v1,http://b/v1"}
    assert config.batch == {"max_batch_size": 4, "max_wait": "0.5"}


@pytest.mark.masks
def test_an_engine_opens_with_the_options_of_its_section() -> None:
    engine = config_of(
        {"engines": {"llm": {"backend": "random", "random": {"model": "bytes", "semantic": "no"}}}}, {}, origin="test"
    ).open()
    assert isinstance(engine, RandomEngine)
    assert not engine.capabilities.supports_overlay


@pytest.mark.masks
def test_texts_stand_for_values_of_any_type() -> None:
    checked = checked_options(RandomEngine, {"max_batch_size": "3", "closing-boost": "1.5", "semantic": "false"}, "x")
    assert checked == {"max_batch_size": 3, "closing_boost": 1.5, "semantic": False}


def test_lists_are_read_from_commas_and_from_json() -> None:
    def call(*, names: list[str], at_most: int | None = None) -> None: ...

    assert checked_options(call, {"names": "a, b"}, "x") == {"names": ["a", "b"]}
    assert checked_options(call, {"names": '["a,b"]', "at-most": "null"}, "x")["names"] == ["a,b"]


def test_objects_that_only_programs_have_are_no_settings() -> None:
    assert "mask_store" not in settable(RandomEngine)
    assert "closing_boost" in settable(RandomEngine)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"engines": {"llm": {"backend": "vlm"}}}, 'no engine "vlm"'),
        ({"engines": {"llm": {"openapi": {}}}}, 'no engine "openapi"'),
        ({"engines": {"llm": {"backend": 3}}}, "backend in test is no text"),
        ({"engines": {"lm": {}}}, "engines.lm in test is no setting"),
        ({"engines": []}, "engines in test is no table"),
        ({"engines": {"llm": {"random": "x"}}}, "engines.llm.random in test is no table"),
        ({"batch": 3}, "batch in test is no table"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(record: dict[str, object], message: str) -> None:
    with pytest.raises((UsageError, EngineError), match=message):
        config_of(record, {}, origin="test")


@pytest.mark.masks
@pytest.mark.parametrize(
    ("options", "message", "help"),
    [
        ({"closing_bost": 1}, "engines.llm.random.closing_bost is no setting", "write closing_boost"),
        ({"colour": 1}, "engines.llm.random.colour is no setting", "there are: model, closing_boost"),
        ({"max_batch_size": "many"}, "engines.llm.random.max_batch_size cannot be", "correct"),
    ],
)
def test_what_is_wrong_with_an_option_is_said_when_the_engine_opens(
    options: dict[str, object], message: str, help: str
) -> None:
    config = EngineConfig(backend="random", sections={"random": options})
    with pytest.raises(UsageError, match=message) as caught:
        config.open()
    assert help in (caught.value.help or "")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", b"[engines", "is not TOML"),
        ("a.yaml", b"a: [", "is not YAML in line"),
        ("a.yaml", b"- 1", "holds no tables"),
        ("a.yaml", b"!!python/object/apply:os.system [true]", "is not YAML"),
        ("a.toml", b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        load_config(file, {})
    with pytest.raises(UsageError, match="cannot be read"):
        load_config(tmp_path / "none.toml", {})


def test_a_variable_that_names_no_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="AGENTIC_DSL_ENGINES_LLM_FOO_BAR names no engine"):
        load_config(None, {"AGENTIC_DSL_ENGINES_LLM_FOO_BAR": "1"})
