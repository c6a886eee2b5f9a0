"""The plug-in in a vLLM that is not as it knows it: stock goes on, with a warning, and nothing stays half done."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import pytest

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed here: make test-vllm", allow_module_level=True)

import vllm
from vllm.sampling_params import SamplingParams
from vllm.v1 import structured_output
from vllm.v1.structured_output.backend_xgrammar import XgrammarBackend

from agentic_dsl.runtime.plugins import vllm_plugin
from agentic_dsl.runtime.plugins.vllm_backend import ContractBackend
from agentic_dsl.runtime.plugins.vllm_plugin import PluginState, plugin_state, register

_CHECK = "_validate_structured_outputs"


def _stock_check(self: Any, model_config: Any, structured_outputs_config: Any, tokenizer: Any) -> None:
    """Stands for vLLM's own: these tests are about which function is called."""


@pytest.fixture(autouse=True)
def unwired(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """vLLM as it is before the plug-in is loaded, whatever other tests have done, and its log for ours to be seen."""
    monkeypatch.setattr(structured_output, "XgrammarBackend", XgrammarBackend)
    monkeypatch.setattr(SamplingParams, _CHECK, _stock_check)
    monkeypatch.setattr(vllm_plugin, "_state", PluginState(False))
    logger = logging.getLogger("vllm.agentic_dsl")
    logger.addHandler(caplog.handler)  # vLLM's loggers do not pass records up
    yield
    logger.removeHandler(caplog.handler)


def no_such_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(structured_output, "XgrammarBackend")


def another_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structured_output, "XgrammarBackend", type("Other", (XgrammarBackend,), {}))


def another_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(XgrammarBackend, "compile_grammar", lambda self, grammar: None)


def another_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SamplingParams, _CHECK, lambda self, config: None)


def another_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    def grammar_init(self: Any, request: Any) -> None: ...

    assert isinstance(grammar_init, FunctionType)
    monkeypatch.setattr(structured_output.StructuredOutputManager, "grammar_init", grammar_init)


def one_method_more(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentic_dsl.runtime.plugins.vllm_backend import ContractGrammar

    monkeypatch.setattr(ContractGrammar, "__abstractmethods__", frozenset({"jump_forward"}))


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (no_such_class, "has no XgrammarBackend"),
        (another_class, "another plug-in has replaced"),
        (another_compile, r"compile_grammar takes \(self, grammar\)"),
        (another_check, r"takes \(self, config\)"),
        (another_manager, "grammar_init does not make its back end"),
        (one_method_more, "lacks what vLLM calls: jump_forward"),
    ],
)
def test_broken_wiring_leaves_stock_as_it_was_and_says_why(
    breaks: Callable[[pytest.MonkeyPatch], None],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    breaks(monkeypatch)
    before = getattr(structured_output, "XgrammarBackend", None), getattr(SamplingParams, _CHECK)
    register()
    assert not plugin_state().active
    assert (getattr(structured_output, "XgrammarBackend", None), getattr(SamplingParams, _CHECK)) == before
    import re

    assert re.search(said, str(plugin_state().reason))
    assert re.search(said, caplog.text)
    assert "enforce a part of the rules only" in caplog.text


def test_an_unknown_release_is_left_alone_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(vllm, "__version__", "0.77.0")
    register()
    assert structured_output.XgrammarBackend is XgrammarBackend
    assert plugin_state().engine_version == "0.77.0"
    assert "vLLM is of version 0.77.0, and the plug-in works with 0.32 up to before 0.34" in caplog.text


def test_the_installed_release_is_wired_once(caplog: pytest.LogCaptureFixture) -> None:
    register()
    assert plugin_state() == PluginState(True, vllm.__version__)
    check = getattr(SamplingParams, _CHECK)
    assert structured_output.XgrammarBackend is ContractBackend
    assert check is not _stock_check
    register()
    assert getattr(SamplingParams, _CHECK) is check
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
