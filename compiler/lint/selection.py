"""Selection: which rules are asked, by prefixes of their codes, and for which files they are not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatch
from functools import cached_property

from agentic_dsl.codes import ALL_CODES
from agentic_dsl.errors import UsageError

EVERYTHING = "ADL"
"""The prefix of every code."""

_CODES = tuple(code.code for code in ALL_CODES)
_NAMES = {code.name: code.code for code in ALL_CODES}


@dataclass(frozen=True)
class Selection:
    """Which findings are wanted.

    Of the prefixes in ``select`` and ``ignore`` that fit a code the longest wins; of two as long, ``ignore`` does.

    Attributes:
        select: prefixes of codes.
        ignore: prefixes of codes.
        per_file: patterns of paths, each with prefixes that are ignored in such files.
    """

    select: tuple[str, ...] = (EVERYTHING,)
    ignore: tuple[str, ...] = ()
    per_file: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @cached_property
    def codes(self) -> frozenset[str]:
        """The codes that are asked for in files without rules of their own."""
        return frozenset(code for code in _CODES if _longest(code, self.select) > _longest(code, self.ignore))

    def wanted(self, path: str) -> frozenset[str]:
        """The codes that are asked for in one file."""
        off = tuple(p for pattern, prefixes in self.per_file if matches(path, pattern) for p in prefixes)
        return frozenset(code for code in self.codes if not code.startswith(off)) if off else self.codes


def _longest(code: str, prefixes: tuple[str, ...]) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=0)


def matches(path: str, pattern: str) -> bool:
    """Whether a pattern means a file: its path, the end of it, or a folder above it."""
    path = path.replace("\\", "/").removeprefix("./")
    pattern = pattern.removeprefix("./").rstrip("/")
    return fnmatch(path, pattern) or fnmatch(path, f"*/{pattern}") or fnmatch(path, f"{pattern}/*")


def read_selectors(words: Iterable[str], where: str) -> tuple[str, ...]:
    """Prefixes of codes from what a person wrote: codes, prefixes and names, also several with commas between them.

    Raises:
        UsageError: a word names no rule.
    """
    prefixes = []
    for word in (part.strip() for given in words for part in given.split(",")):
        if not word:
            continue
        prefix = selector(word)
        if prefix is None:
            near = get_close_matches(word.upper(), _CODES, 1) or get_close_matches(word.lower(), _NAMES, 1)
            hint = f"write {near[0]}" if near else "name a code such as ADL203, or the beginning of codes such as ADL2"
            raise UsageError(f'"{word}" in {where} names no rule', help=hint)
        prefixes.append(prefix)
    return tuple(dict.fromkeys(prefixes))


def selector(word: str) -> str | None:
    """The prefix of codes that a word means, None where no code begins so."""
    if (code := _NAMES.get(word.lower())) is not None:
        return code
    prefix = EVERYTHING if word.upper() == "ALL" else word.upper()
    return prefix if prefix and any(code.startswith(prefix) for code in _CODES) else None
