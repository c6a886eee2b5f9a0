"""Strings, numbers, names and nested data, nasty ones included."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from agentic_dsl.format_values import YAML_WORDS
from agentic_dsl.paths import SEGMENT, Path
from agentic_dsl.signature import Data

TEXT_CHARS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from("\"\\\n\r\t\x00\x07\x1b\x7f\x85\x9f\u2028\u2029\ufeff\ufffe\uffff{}%#:'- é漢\U0001f600"),
)
"""Every character that a text can hold; the awkward ones often. (Surrogates are no text.)"""

RAW_CHARS = st.one_of(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
    st.sampled_from("\"\\{}:'#- \u2028\ufeffé漢\U0001f600"),
)
"""Characters that stand raw in generated text, or as a short escape."""

texts = st.one_of(
    st.text(TEXT_CHARS, max_size=30),
    st.sampled_from(["", " ", "on", "No", "null", "~", "1e5", "0x1f", "=", "<<", "- x", "a: b", "# c", "|", "{{ x }}"]),
)
"""Any string; YAML's pitfalls often."""

integers = st.one_of(st.integers(-(10**15) + 1, 10**15 - 1), st.integers())
floats = st.floats(allow_nan=False, allow_subnormal=True)

scalars: st.SearchStrategy[Data] = st.one_of(st.none(), st.booleans(), integers, floats, texts)


def _containers(children: st.SearchStrategy[Data]) -> st.SearchStrategy[Data]:
    keys = st.one_of(texts, segments)
    return st.one_of(st.lists(children, max_size=3).map(tuple), st.dictionaries(keys, children, max_size=3))


TEMPLATE_WORDS = frozenset(
    (
        "inputs",
        "now",
        "loop",
        "and",
        "or",
        "not",
        "in",
        "true",
        "false",
        "null",
        "none",
        "if",
        "else",
        "for",
        "set",
        "is",
        "inputs",
        "now",
        "loop",
    )
)
"""Names that a template reads otherwise than as a context key."""

segments = st.from_regex(SEGMENT, fullmatch=True).filter(lambda s: not s.startswith("__") and len(s) <= 20)

data: st.SearchStrategy[Data] = st.recursive(scalars, _containers, max_leaves=6)
"""Any YAML value."""

mappings = st.dictionaries(st.one_of(texts, segments), data, max_size=4)

_WORD = re.compile(r"[a-z][a-z0-9_]*")
words = st.from_regex(_WORD, fullmatch=True).filter(
    lambda word: len(word) <= 32 and word not in YAML_WORDS and word not in TEMPLATE_WORDS and word != "end"
)
"""Ids and context keys of generated text that every template can read."""

paths = st.lists(segments, min_size=2, max_size=4).map(lambda parts: Path(tuple(parts)))
