"""The plug-in of SGLang: ``--grammar-backend agentic-dsl`` enforces contracts with our matcher.

SGLang loads it in each of its processes (entry point ``sglang.srt.plugins``). Nothing changes for a server that
does not name the back end. Whatever does not fit is said in one warning, and SGLang's own XGrammar serves.
"""

from __future__ import annotations

import importlib.metadata
import logging
import re
from collections.abc import Iterable
from typing import Any

from agentic_dsl.errors import AgenticDSLError
from agentic_dsl.runtime.plugins.metrics import plugin_metrics

_log = logging.getLogger(__name__)

NAME = "agentic-dsl"
"""Of the grammar back end."""

_KNOWN = ((0, 5, 23), (0, 6))
"""SGLang's versions from the first up to below the second; the classes that we build on are not a public interface."""


def register() -> None:
    """Makes the back end known to SGLang; never fails, for an exception would end up in a server's start."""
    try:
        from sglang.srt.constrained.base_grammar_backend import register_grammar_backend
        from sglang.srt.server_args import GRAMMAR_BACKEND_CHOICES, add_grammar_backend_choices
    except ImportError as exc:
        _log.warning('this SGLang has no place for the grammar back end "%s": %s', NAME, exc)
        return
    register_grammar_backend(NAME, create)
    if NAME not in GRAMMAR_BACKEND_CHOICES:
        add_grammar_backend_choices([NAME])


def create(server_args: Any, tokenizer: Any, vocab_size: int, eos_token_ids: Iterable[int] | None = None) -> Any:
    """The grammar back end of one scheduler, as SGLang's registry asks for it.

    Registered back ends are not wrapped for models that reason, so that is done here as SGLang does it for its own.

    Returns:
        Ours; SGLang's own XGrammar where ours does not fit; None where neither can use the tokenizer.
    """
    ends = list(eos_token_ids) if eos_token_ids else None
    backend = _ours(tokenizer, vocab_size, ends)
    if backend is None:
        return _stock(server_args, tokenizer, vocab_size, eos_token_ids)
    return _for_reasoning(backend, tokenizer)


def _ours(tokenizer: Any, vocab_size: int, ends: list[int] | None) -> Any:
    """Our back end, or None with a warning."""
    if (reason := _unknown_version()) is not None:
        return _unfit("version", reason)
    try:
        from sglang.srt.runtime_context import get_serving

        from agentic_dsl.runtime.plugins.sglang_backend import ContractGrammarBackend

        serving = get_serving()
        return ContractGrammarBackend(
            tokenizer,
            vocab_size,
            ends,
            any_whitespace=not serving.constrained_json_disable_any_whitespace,
            max_whitespace_cnt=serving.constrained_json_max_whitespace_cnt,
        )
    except AgenticDSLError as exc:
        return _unfit("unsupported", str(exc))
    # Any other one means that SGLang's private classes are not what they were: its server must start all the same.
    except Exception as exc:
        return _unfit("wiring", f"{type(exc).__name__}: {exc}")


def _unfit(kind: str, reason: str) -> None:
    _log.warning("contracts are not enforced in this server, only their grammars: %s", reason)
    plugin_metrics().fallback(kind)


def _unknown_version() -> str | None:
    lowest, beyond = _KNOWN
    version = importlib.metadata.version("sglang")
    if lowest <= tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < beyond:
        return None
    known = " up to below ".join(".".join(map(str, bound)) for bound in _KNOWN)
    return f"SGLang is of version {version}, and known are {known}"


def _stock(server_args: Any, tokenizer: Any, vocab_size: int, eos_token_ids: Iterable[int] | None) -> Any:
    """What SGLang makes for ``--grammar-backend xgrammar``."""
    from sglang.srt.constrained.base_grammar_backend import create_grammar_backend
    from sglang.srt.runtime_context import get_context

    get_context().override(f"{NAME}.fallback", grammar_backend="xgrammar")
    parser = _reasoning_parser(tokenizer)
    think_end_ids = parser.detector.get_think_end_token_ids(tokenizer) if parser is not None else None
    ends = set(eos_token_ids) if eos_token_ids else None
    return create_grammar_backend(server_args, tokenizer, vocab_size, ends, think_end_ids)


def _for_reasoning(backend: Any, tokenizer: Any) -> Any:
    """The back end, kept off what a model thinks before it answers."""
    parser = _reasoning_parser(tokenizer)
    if parser is None or not parser.detector.get_think_end_token_ids(tokenizer):
        return backend
    from sglang.srt.constrained.reasoner_grammar_backend import ReasonerGrammarBackend
    from sglang.srt.runtime_context import get_serving

    from agentic_dsl.runtime.plugins.sglang_backend import bound_cache

    wrapped = ReasonerGrammarBackend(
        backend, parser, tokenizer, enable_strict_thinking=get_serving().enable_strict_thinking
    )
    bound_cache(wrapped)
    return wrapped


def _reasoning_parser(tokenizer: Any) -> Any:
    from sglang.srt.parser.reasoning_parser import ReasoningParser
    from sglang.srt.runtime_context import get_serving

    name = get_serving().reasoning_parser
    return ReasoningParser(model_type=name, stream_reasoning=False, tokenizer=tokenizer) if name else None
