"""Whether a grammar accepts a whole text, asked of xgrammar itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import xgrammar


@dataclass(frozen=True)
class Acceptor:
    """A compiled grammar over single bytes; each `accepts` uses a matcher of its own."""

    compiled: xgrammar.CompiledGrammar

    @classmethod
    def of(cls, grammar: str) -> Acceptor:
        """The acceptor of an EBNF text; the last few are kept."""
        return _acceptor(grammar)

    def accepts(self, text: str) -> bool:
        """Whether the grammar accepts exactly ``text``."""
        matcher = xgrammar.GrammarMatcher(self.compiled, terminate_without_stop_token=True)
        return bool(matcher.accept_string(text)) and bool(matcher.is_terminated())


@lru_cache(maxsize=32)
def _acceptor(grammar: str) -> Acceptor:
    vocabulary = [bytes([byte]) for byte in range(256)] + [b"<eos>"]
    info = xgrammar.TokenizerInfo(vocabulary, stop_token_ids=[256])
    return Acceptor(xgrammar.GrammarCompiler(info, max_threads=1).compile_grammar(grammar))
