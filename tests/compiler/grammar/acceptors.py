"""Three readers of one language: xgrammar on the emitted EBNF, the IR itself, and a reader of GBNF."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

from agentic_dsl.compiler.grammar.automaton import Automaton
from agentic_dsl.compiler.grammar.ir import Grammar, Ref


def automaton(grammar: Grammar) -> Automaton:
    """A reader of the IR."""
    return Automaton(Ref(grammar.root), grammar.by_name)


@lru_cache(maxsize=64)
def _compiled(ebnf: str) -> Any:
    xgrammar = pytest.importorskip("xgrammar")
    vocabulary = [bytes([byte]) for byte in range(256)] + [b"<end>"]
    info = xgrammar.TokenizerInfo(vocabulary, stop_token_ids=[256])
    return xgrammar.GrammarCompiler(info, max_threads=1).compile_grammar(ebnf)


def accepts(ebnf: str, text: str | bytes) -> bool:
    """Whether xgrammar, reading the EBNF, accepts exactly the text."""
    xgrammar = pytest.importorskip("xgrammar")
    matcher = xgrammar.GrammarMatcher(_compiled(ebnf), terminate_without_stop_token=True)
    return bool(matcher.accept_string(text)) and bool(matcher.is_terminated())
