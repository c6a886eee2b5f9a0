"""`find_mentions`: the skills that a request names itself: ``$fork-and-join``, "use the fork-and-join skill"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agentic_dsl.compiler.suggestions import Suggester

_QUOTE = "[\"'`“”‘’「」『』《》*]?"
_NAME = re.compile(rf"{_QUOTE}(?P<words>[A-Za-z0-9]+(?:[-_ ][A-Za-z0-9]+){{0,31}})")
_AFTER_NAME = re.compile(rf"(?![A-Za-z0-9_-]){_QUOTE}")
_SEPARATOR = re.compile(r"\s*,\s*(?:and\s+)?|\s+(?:and|or)\s+|\s*[、和与と]\s*")
_PART = re.compile(r"[A-Za-z0-9]+")

_VERB = re.compile(
    r"\b(?P<not>(?:don['’]?t|do not|never|not)\s+)?(?:(?P<without>without|except)|use|using|apply|load|follow|invoke"
    r"|activate|with|prefer)\s+(?:the\s+|your\s+)?(?P<before>skills?:?\s+)?",
    re.I,
)
_LABEL = re.compile(r"\bskills?\s*[:=]\s*", re.I)
_BEHIND = re.compile(r"\s+skills?\b", re.I)
_CHINESE_VERB = re.compile(r"(?P<not>不要|不|别|別)?\s*(?:使用|启用|啟用|加载|用)\s*")
_CHINESE_BEHIND = re.compile(r"\s*(?:这个|這個|的)?\s*技能")
_JAPANESE_BEHIND = re.compile(r"\s*(?:という|の)?スキル(?:は|を)?(?:使(?P<not>わ[なず])?|適用)")
_RUN = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9]")

_DOLLAR = re.compile(r"(?<![\w$])\$(?P<name>[a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?![\w-])")
_MAX_UNKNOWN = 10
"""Misspelt names that are told of."""


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a request says about skills by name.

    Attributes:
        wanted: names of skills to use, in order of the text.
        unwanted: names of skills not to use; none of them is wanted.
        unknown: what looks like the name of a skill and is none, with the name that is probably meant.
    """

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()


def find_mentions(request: str, names: Iterable[str]) -> Mentions:
    """The skills that are named in words that ask for them, or forbid them.

    A name alone is no mention: "planning" and "fork and join" are English too. It takes a ``$`` before it, or a verb
    and the word "skill" (技能, スキル) beside it. What is both wanted and not wanted is wanted.

    Args:
        request: the text; the time is linear in it.
        names: of the skills that there are.
    """
    known = {tuple(name.split("-")): name for name in names}
    wanted: dict[str, int] = {}
    unwanted: dict[str, None] = {}
    for name, at, refused in _asked_for(request, known) if known else ():
        if refused:
            unwanted[name] = None
        else:
            wanted[name] = min(at, wanted.get(name, at))
    unknown: dict[str, str] = {}
    suggester = Suggester()
    for found in _DOLLAR.finditer(request):
        name = found["name"]
        if tuple(name.split("-")) in known:
            wanted[name] = min(found.start(), wanted.get(name, found.start()))
        elif len(unknown) < _MAX_UNKNOWN and (near := suggester.closest(name, known.values())):
            unknown[name] = near  # other words behind a $ are variables, amounts and tickers
    return Mentions(
        tuple(sorted(wanted, key=lambda name: (wanted[name], name))),
        tuple(name for name in unwanted if name not in wanted),
        tuple(unknown.items()),
    )


_Names = Mapping[tuple[str, ...], str]
"""The names by their words."""


def _asked_for(request: str, known: _Names) -> Iterator[tuple[str, int, bool]]:
    """Each mention: the name, its place, whether it is refused."""
    for verb in _VERB.finditer(request):
        names, end = _listed(request, verb.end(), known)
        if names and (verb["before"] or _BEHIND.match(request, end)):
            yield from ((name, at, bool(verb["not"] or verb["without"])) for name, at in names)
    for label in _LABEL.finditer(request):
        yield from ((name, at, False) for name, at in _listed(request, label.end(), known)[0])
    for verb in _CHINESE_VERB.finditer(request):
        names, end = _listed(request, verb.end(), known)
        if names and _CHINESE_BEHIND.match(request, end):
            yield from ((name, at, bool(verb["not"])) for name, at in names)
    for run in _RUN.finditer(request) if "スキル" in request else ():
        names, end = _listed(request, run.start(), known)
        if names and (behind := _JAPANESE_BEHIND.match(request, end)):
            yield from ((name, at, bool(behind["not"])) for name, at in names)


def _listed(text: str, at: int, known: _Names) -> tuple[list[tuple[str, int]], int]:
    """The names that stand at a place, separated by commas or "and", and where they end.

    Of names that begin alike the longest counts. A name may be written with spaces or underscores for its hyphens.
    """
    names: list[tuple[str, int]] = []
    end = start = at
    while len(names) < len(known) and (found := _name_at(text, start, known)):
        name, end = found
        names.append((name, start))
        separator = _SEPARATOR.match(text, end)
        if separator is None:
            break
        start = separator.end()
    return names, end


def _name_at(text: str, at: int, known: _Names) -> tuple[str, int] | None:
    run = _NAME.match(text, at)
    if run is None:
        return None
    parts = list(_PART.finditer(text, run.start("words"), run.end("words")))
    words = tuple(part[0].lower() for part in parts)
    for count in range(len(words), 0, -1):
        name = known.get(words[:count])
        after = _AFTER_NAME.match(text, parts[count - 1].end()) if name else None
        if name and after:
            return name, after.end()
    return None
