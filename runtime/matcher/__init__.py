"""The matcher: which tokens may come next, given those that came.

`Matcher` is the protocol that engines drive, one object a sequence. `GrammarMatcher` enforces the grammar alone.
"""

from agentic_dsl.runtime.matcher.grammar_matcher import GrammarMatcher
from agentic_dsl.runtime.matcher.protocol import Matcher

__all__ = ["GrammarMatcher", "Matcher"]
