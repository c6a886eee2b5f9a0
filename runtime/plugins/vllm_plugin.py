"""The entry point of the plug-in for vLLM: puts our back end where vLLM's own stands, or leaves everything as it is.

vLLM has no registration point for grammar back ends. It does load the entry points of ``vllm.general_plugins`` in each
of its processes before the back end is made; `register` then rebinds two names there:

- ``vllm.v1.structured_output.XgrammarBackend``, the class that the engine core makes its back end of
- ``SamplingParams._validate_structured_outputs``, the check of a request at the front

Both are private. So the release is compared with those that this was tested on, and the wiring is looked at before and
after; where anything differs, stock vLLM goes on unchanged, with a warning. Turned off by ``VLLM_PLUGINS=""``.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

FIRST, BEFORE = (0, 32), (0, 34)
"""The releases of vLLM that this works with: from, and before."""

_CORE = "vllm.v1.structured_output"
_BACKEND = "XgrammarBackend"
_CHECK = "_validate_structured_outputs"

_SIGNATURES: Mapping[str, tuple[str, ...]] = {
    "compile_grammar": ("self", "request_type", "grammar_spec", "stop_token_ids"),
    _CHECK: ("self", "model_config", "structured_outputs_config", "tokenizer"),
}
"""What is overridden or replaced, and how vLLM must call it."""

_log = logging.getLogger("vllm.agentic_dsl")  # below vLLM's own logger, whose handlers it thereby has


@dataclass(frozen=True, slots=True)
class PluginState:
    """What became of the plug-in in this process.

    Attributes:
        active: whether contracts are enforced by our matcher.
        engine_version: of vLLM, or None where it is not there.
        reason: why it is not active.
    """

    active: bool
    engine_version: str | None = None
    reason: str | None = None


_state = PluginState(False, reason="vLLM has not loaded it")


def plugin_state() -> PluginState:
    """What became of the plug-in in this process."""
    return _state


def register() -> None:
    """Called by vLLM in each of its processes; calling it again does nothing. Never raises."""
    global _state
    if _state.active:
        return
    version: str | None = None
    try:
        version = str(importlib.import_module("vllm").__version__)
        require_known(version)
        with _restored_on_error() as undo:
            _wire(undo)
            require_wired()
    # Whatever is wrong with our wiring, vLLM itself must start.
    except Exception as exc:
        _state = PluginState(
            False, version, str(exc) if isinstance(exc, _WiringError) else f"{type(exc).__name__}: {exc}"
        )
        _log.warning(
            "agentic-dsl: the plug-in is not active, and vLLM's own grammars enforce a part of the rules only: %s",
            _state.reason,
            exc_info=None if isinstance(exc, _WiringError) else exc,
        )
        return
    _state = PluginState(True, version)
    _log.info("agentic-dsl: the plug-in is active in vLLM %s", version)


class _WiringError(Exception):
    """vLLM is not as the plug-in knows it; never leaves this module."""


def require_known(version: str) -> None:
    """Raises where a release of vLLM is none of those that this works with."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or not FIRST <= (int(found[1]), int(found[2])) < BEFORE:
        raise _WiringError(
            f"vLLM is of version {version}, and the plug-in works with {_dotted(FIRST)} up to before {_dotted(BEFORE)}"
        )


def require_wired() -> None:
    """Raises where vLLM would not come to our classes; looks at what vLLM itself will look up."""
    core = importlib.import_module(_CORE)
    from agentic_dsl.runtime.plugins.vllm_backend import ContractBackend, ContractGrammar

    made_in = core.StructuredOutputManager.grammar_init
    if made_in.__globals__.get(_BACKEND) is not ContractBackend or _BACKEND not in made_in.__code__.co_names:
        raise _WiringError(f"StructuredOutputManager.grammar_init does not make its back end of {_CORE}.{_BACKEND}")
    for kind in (ContractBackend, ContractGrammar):
        if missing := sorted(getattr(kind, "__abstractmethods__", ())):
            raise _WiringError(f"{kind.__name__} lacks what vLLM calls: {', '.join(missing)}")


def _wire(undo: list[Callable[[], None]]) -> None:
    """Rebinds the two names; ``undo`` gains what takes it back."""
    core = importlib.import_module(_CORE)
    params = importlib.import_module("vllm.sampling_params").SamplingParams
    stock = getattr(core, _BACKEND, None)
    if stock is None or not hasattr(core, "StructuredOutputManager"):
        raise _WiringError(f"{_CORE} has no {_BACKEND} or no StructuredOutputManager")
    _require_signature(stock, "compile_grammar")
    _require_signature(params, _CHECK)
    from agentic_dsl.runtime.plugins.vllm_backend import ContractBackend, validating

    if not issubclass(ContractBackend, stock):
        raise _WiringError(f"another plug-in has replaced {_CORE}.{_BACKEND}")
    check = getattr(params, _CHECK)
    undo.append(lambda: setattr(core, _BACKEND, stock))
    setattr(core, _BACKEND, ContractBackend)
    undo.append(lambda: setattr(params, _CHECK, check))
    setattr(params, _CHECK, validating(check))


def _require_signature(owner: Any, name: str) -> None:
    method = getattr(owner, name, None)
    if method is None:
        raise _WiringError(f"{owner.__name__} has no {name}")
    if (found := tuple(inspect.signature(method).parameters)) != _SIGNATURES[name]:
        raise _WiringError(f"{owner.__name__}.{name} takes ({', '.join(found)})")


@contextmanager
def _restored_on_error() -> Iterator[list[Callable[[], None]]]:
    undo: list[Callable[[], None]] = []
    try:
        yield undo
    except BaseException:
        for step in reversed(undo):
            step()
        raise


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
