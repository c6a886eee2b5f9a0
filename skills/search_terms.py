"""`search_terms`: text → the terms that it is found by, in any script.

Words are case-folded and stemmed; words that every text has are left out. An identifier gives itself and its parts:
``tool_call`` is found by "tool", and "AgenticDSL" by "DSL". Chinese, Japanese and Korean put no spaces between words,
so a run of their characters gives each pair of neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3005\U00020000-\U0003ffff"
_HIRAGANA = "\u3040-\u309f"
_KATAKANA = "\u30a0-\u30ff\u31f0-\u31ff"
_HANGUL = "\uac00-\ud7af"
_UNSPACED = f"{_HAN}{_HIRAGANA}{_KATAKANA}{_HANGUL}"

_RUN = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+(?:['’][^\W{_UNSPACED}]+)?")
_SPACED = re.compile(rf"[^{_UNSPACED}]")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z_\d]+|\d+")
_MAX_TERM = 64
"""Longer runs without a space are no words of anybody: data, keys, padding."""

_PARTICLES = re.compile(rf"[的了吗嗎呢吧们們]|[{_HIRAGANA}]+")
"""What stands between words of content. Japanese writes its grammar in hiragana, most of its content otherwise."""

_STOP_TEXT = (
    "a about above after again all also although am an and any are as at back be been before being below both but "
    "by can cannot could did do does doing done down each few for from further get give given go goes had has "
    "have having he her here hers him his how i if in into is it its itself just let like made make makes many "
    "may me mean means might mine more most much must my need needs no nor not now of off on once one only or "
    "other our out over own per please put s same say says see she should show so some such t take tell than "
    "thank thanks that the their them then there these they thing this those three through to too two under until "
    "up upon us use used uses using very want was way we well were what when where which while who whom why will "
    "with without would yes you your "
)
_STOP_WORDS = frozenset(_STOP_TEXT.split())
"""Words that every text has. "parallel" or "join" are none of them, however common."""


def search_terms(text: str) -> tuple[str, ...]:
    """The terms of a text in its order, each as often as it occurs."""
    return tuple(term for term, _ in _terms(unicodedata.normalize("NFKC", text)))


def written_forms(text: str) -> dict[str, str]:
    """How each term of a text is written there the first time, for people: a stem is not always a word."""
    forms: dict[str, str] = {}
    for term, written in _terms(unicodedata.normalize("NFKC", text)):
        forms.setdefault(term, written)
    return forms


def length_in_words(terms: Iterable[str]) -> float:
    """About how many words some terms stand for: without spaces, half of the pairs are halves of two words."""
    return sum(1.0 if _SPACED.match(term) else 0.5 for term in terms)


def _terms(text: str) -> Iterator[tuple[str, str]]:
    """Each term, and how it is written."""
    for found in _RUN.finditer(text):
        run = found[0]
        if not _SPACED.match(run):
            for piece in _PARTICLES.split(run):
                yield from ((pair, pair) for pair in _pairs(piece))
        elif len(run) <= _MAX_TERM:
            yield from ((stem(word), word) for word in _words(re.split("['’]", run)[0]))


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for at in range(len(run) - 1):
        yield run[at : at + 2]


def _words(run: str) -> Iterator[str]:
    """The run as one word, and its parts where it has several."""
    whole = run.casefold().strip("_")
    parts = [part.casefold() for part in _PART.findall(run)]
    for word in (whole, *parts) if len(parts) > 1 else (whole,):
        if word and word not in _STOP_WORDS and not (len(word) == 1 and word.isascii()):
            yield word


def stem(word: str) -> str:
    """An English word without its commonest endings, so that *branches* finds *branch* and *planned* finds *plan*.

    Light on purpose: it need not give a word, it must give the same for forms of one word and rarely for two words.
    """
    if not word.isascii() or not word.isalpha() or len(word) < 4:
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) + len(instead) >= 3:
            word = word.removesuffix(ending) + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiosl":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


_ENDINGS = (
    ("ations", "at"),
    ("ation", "at"),
    ("sses", "ss"),
    ("ies", "y"),
    ("ied", "y"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("xes", "x"),
    ("ings", ""),
    ("ing", ""),
    ("ed", ""),
    ("ss", "ss"),
    ("us", "us"),
    ("is", "is"),
    ("s", ""),
)
