"""AgenticDSL programs that are valid by construction: compiler, constrained decoding and tools.

Everything that users need is here and is loaded when it is first used, so that ``import agentic_dsl`` costs nothing and
needs no optional package::

    from agentic_dsl import AgenticLLM, Constraints

    generation = AgenticLLM().generate_subgraph("…", constraints=Constraints(max_nodes=5))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentic_dsl.ast import Document, Subgraph
    from agentic_dsl.compiler.check import check
    from agentic_dsl.compiler.library import Library
    from agentic_dsl.compiler.parse.document import parse
    from agentic_dsl.compiler.pipeline import CompiledSpec, compile
    from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec, ToolSpec
    from agentic_dsl.diagnostics import Diagnostic, Severity
    from agentic_dsl.errors import (
        AgenticDSLError,
        CacheError,
        ConstraintError,
        EngineError,
        GenerationError,
        MissingExtraError,
        ModelError,
        TokenizerError,
        UsageError,
    )
    from agentic_dsl.format import format_document, normalise
    from agentic_dsl.runtime.answers import Generation
    from agentic_dsl.runtime.engines.base import Sampling, Stats
    from agentic_dsl.runtime.generation import AgenticLLM
    from agentic_dsl.runtime.masks import compile_masks
    from agentic_dsl.runtime.spec_matcher import Matcher
    from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer

    __version__: str

_HOME = {
    "AgenticDSLError": "errors",
    "AgenticLLM": "runtime.generation",
    "CacheError": "errors",
    "CompiledSpec": "compiler.pipeline",
    "ConstraintError": "errors",
    "Constraints": "constraints",
    "ContextSignature": "constraints",
    "Diagnostic": "diagnostics",
    "Document": "ast",
    "EngineError": "errors",
    "Generation": "runtime.answers",
    "GenerationError": "errors",
    "Library": "compiler.library",
    "LibrarySpec": "constraints",
    "Matcher": "runtime.spec_matcher",
    "MissingExtraError": "errors",
    "ModelError": "errors",
    "Sampling": "runtime.engines.base",
    "Severity": "diagnostics",
    "Stats": "runtime.engines.base",
    "Subgraph": "ast",
    "Tokenizer": "runtime.tokenizer",
    "TokenizerError": "errors",
    "ToolSpec": "constraints",
    "UsageError": "errors",
    "check": "compiler.check",
    "compile": "compiler.pipeline",
    "compile_masks": "runtime.masks",
    "format_document": "format",
    "load_tokenizer": "runtime.tokenizer",
    "normalise": "format",
    "parse": "compiler.parse.document",
}
"""Name → the module that defines it. A test holds this, `__all__` and the imports above equal."""

__all__ = [
    "AgenticDSLError",
    "AgenticLLM",
    "CacheError",
    "CompiledSpec",
    "ConstraintError",
    "Constraints",
    "ContextSignature",
    "Diagnostic",
    "Document",
    "EngineError",
    "Generation",
    "GenerationError",
    "Library",
    "LibrarySpec",
    "Matcher",
    "MissingExtraError",
    "ModelError",
    "Sampling",
    "Severity",
    "Stats",
    "Subgraph",
    "Tokenizer",
    "TokenizerError",
    "ToolSpec",
    "UsageError",
    "__version__",
    "check",
    "compile",
    "compile_masks",
    "format_document",
    "load_tokenizer",
    "normalise",
    "parse",
]


def __getattr__(name: str) -> Any:
    """Loads an exported name, once."""
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            value: Any = version("agentic-dsl")
        except PackageNotFoundError:  # run from a checkout that is not installed
            value = "0+unknown"
    elif (home := _HOME.get(name)) is not None:
        value = getattr(importlib.import_module(f"agentic_dsl.{home}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The exported names, loaded or not."""
    return sorted(__all__)
