"""One configuration: files, variables, and what is wrong with them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from agentic_dsl.errors import EngineError, UsageError
from agentic_dsl.runtime.call_options import checked_options, settable
from agentic_dsl.runtime.config import EngineConfig, config_of, layered, load_config
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
        ("a.yaml", b"engines: {llm: {backend: 2024-13-45}}", "a value is no number or date"),
        ("a.yaml", b"x: !!int ''", "a value is no number or date"),
        ("a.yaml", b"x: !!timestamp nope", "a value is no number or date"),
        ("a.yaml", b"x: !!bool nope", "a value is no number or date"),
        ("a.yaml", b"x: " + b"9" * 5000, "a value is no number or date"),
        ("a.yaml", b"[" * 3000, "too deeply"),
        ("a.toml", b"a = " + b"[" * 3000, "too deeply"),
        ("a.toml", b"a = " + b"9" * 5000, "is not TOML"),
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


# --- where the servers are -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["base_url", "base_urls", "base-url", "base-urls"])
@pytest.mark.parametrize("variable", ["base_url", "base_urls"])
def test_a_variable_with_an_address_replaces_those_of_the_file(written: str, variable: str) -> None:
    address = "http://file/v1"
    section = {written: address if written.endswith("url") else [address], "model": "m"}
    record = {"engines": {"llm": {"backend": "openai", "openai": section}}}
    variables = {f"AGENTIC_DSL_ENGINES_LLM_OPENAI_{variable.upper()}": "http://variable/v1"}
    assert config_of(record, variables, origin="test").options == {"model": "m", variable: "http://variable/v1"}
    assert config_of(record, {}, origin="test").options == section


def test_two_variables_with_addresses_are_both_meant() -> None:
    prefix = "AGENTIC_DSL_ENGINES_LLM_OPENAI_"
    variables = {f"{prefix}BASE_URL": "http://a", f"{prefix}BASE_URLS": "http://b"}
    config = config_of({"engines": {"llm": {"openai": {"base_url": "http://file"}}}}, variables, origin="test")
    assert config.sections["openai"] == {"base_url": "http://a", "base_urls": "http://b"}


def test_a_higher_source_replaces_an_option_however_the_lower_one_spells_it() -> None:
    assert layered({"max-retries": 1, "model": "m"}, {"max_retries": 2}) == {"model": "m", "max_retries": 2}
    assert layered({"base_url": "http://a"}, {"model": "m"}) == {"base_url": "http://a", "model": "m"}


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["api_key", "api-key"])
def test_a_key_in_a_file_is_refused_unseen(name: str) -> None:
    record = {"engines": {"llm": {"backend": "random", "openai": {name: "sk-secret"}}}}
    with pytest.raises(UsageError, match=r"engines\.llm\.openai\.api_key is in test") as caught:
        config_of(record, {}, origin="test")
    assert "AGENTIC_DSL_API_KEY" in str(caught.value.help)
    assert "secret" not in str(caught.value)


def test_a_variable_may_hold_the_key_of_one_engine() -> None:
    config = config_of({}, {"AGENTIC_DSL_ENGINES_LLM_OPENAI_API_KEY": "k"}, origin="test")
    assert config.sections["openai"] == {"api_key": "k"}


def test_a_key_of_another_type_is_refused_unseen() -> None:
    def call(*, api_key: str | None = None) -> None: ...

    for value in (123456, ["123456"], {"123456": 1}):
        with pytest.raises(UsageError, match=r"x\.api_key has another type") as caught:
            checked_options(call, {"api-key": value}, "x")
        assert "123456" not in str(caught.value)


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, False) for text in ("false", "No", "off", "0")],
        *[(text, True) for text in (" TRUE ", "yes", "on", "1")],
        *[(value, value) for value in ("/ca.pem", "none", False)],
    ],
)
def test_a_text_that_says_true_or_false_is_no_text_where_both_are_taken(text: object, value: object) -> None:
    def call(*, verify_tls: bool | str = True, name: str = "") -> None: ...

    checked = checked_options(call, {"verify_tls": text}, "x")["verify_tls"]
    assert checked == value
    assert type(checked) is type(value)
    if isinstance(text, str):
        assert checked_options(call, {"name": text}, "x") == {"name": text}


def test_a_value_that_json_cannot_hold_is_refused_all_the_same() -> None:
    def call(*, count: int = 0) -> None: ...

    itself: list[object] = []
    itself.append(itself)
    for value in ({date(2024, 1, 1): "x"}, itself, {(1, 2): 3}):
        with pytest.raises(UsageError, match=r"x\.count has another type: Input should be a valid integer"):
            checked_options(call, {"count": value}, "x")
