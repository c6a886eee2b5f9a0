"""The engines by name: the one list of what ``AgenticLLM(engine=…)`` and ``--engine`` take."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agentic_dsl.errors import EngineError

if TYPE_CHECKING:
    from agentic_dsl.runtime.engines.base import Engine

EngineName = Literal["transformers", "random", "vllm", "openai", "sglang"]


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """Where an engine's class is. Its libraries are imported when it is asked for.

    Attributes:
        module: that defines it.
        class_name: called with the model and options by name.
        doc: one line for people.
    """

    module: str
    class_name: str
    doc: str

    @property
    def engine_class(self) -> type[Engine]:
        """The class, imported."""
        found: type[Engine] = getattr(importlib.import_module(self.module), self.class_name)
        return found


ENGINES: Mapping[EngineName, EngineEntry] = {
    "transformers": EngineEntry(
        "agentic_dsl.runtime.engines.transformers", "TransformersEngine", "a model in this process, with jump-forward"
    ),
    "random": EngineEntry(
        "agentic_dsl.runtime.engines.random", "RandomEngine", "no model: seeded random choices, for trying things out"
    ),
    "vllm": EngineEntry("agentic_dsl.runtime.engines.vllm", "VllmEngine", "vLLM in this process"),
    "openai": EngineEntry("agentic_dsl.runtime.engines.openai", "OpenAIEngine", "any OpenAI-compatible server"),
    "sglang": EngineEntry("agentic_dsl.runtime.engines.sglang", "SGLangEngine", "an SGLang server"),
}
"""Name → engine; the default first."""


def engine_entry(name: str) -> EngineEntry:
    """The engine of a name.

    Raises:
        EngineError: there is none.
    """
    if (entry := next((known for own, known in ENGINES.items() if own == name), None)) is None:
        near = difflib.get_close_matches(name, ENGINES, n=1)
        raise EngineError(
            f'there is no engine "{name}"', help=f"name {near[0]}" if near else f"name one of: {', '.join(ENGINES)}"
        )
    return entry


def open_engine(name: str, model: Any = None, **options: Any) -> Engine:
    """Loads an engine.

    Args:
        name: of `ENGINES`.
        model: what the engine calls a model; None is its default.
        options: further arguments of its class.

    Raises:
        EngineError: there is no such engine.
        ModelError: the model is missing; the help names the command that fetches it.
        MissingExtraError: a library that the engine needs is not installed.
    """
    make: Any = engine_entry(name).engine_class
    engine: Engine = make(model, **options)
    return engine
