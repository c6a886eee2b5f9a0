"""The text of a YAML scalar, character by character: quotes, escapes, folding and indentation undone.

The rules are those of libyaml's scanner, which decides what the text of a scalar is; here each of its characters
keeps the place that it comes from. Line breaks are line feeds and carriage returns only, as `yaml_body` reads them.
"""

from __future__ import annotations

import re
import sys
from array import array
from functools import lru_cache
from typing import NamedTuple

_BREAK = re.compile(r"\r\n|\r|\n")
_BLANKS = re.compile(r"[ \t]*+")
_ESCAPED = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "\t": "\t",
    "n": "\n",
    "v": "\v",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    " ": " ",
    '"': '"',
    "/": "/",
    "\\": "\\",
    "N": "\x85",
    "_": "\xa0",
    "L": "\u2028",
    "P": "\u2029",
}
_CODE_LENGTH = {"x": 2, "u": 4, "U": 8}
_HEX = re.compile(r"[0-9A-Fa-f]+")
_HEADER = re.compile(r"[|>](?P<first>[0-9+-]?)(?P<second>[0-9+-]?)[^\r\n]*+(?:\r\n|\r|\n|\Z)")


class CharacterMap(NamedTuple):
    """The text of a scalar, and for each of its characters the half-open range of the raw text that makes it.

    ``end`` is where the text ends in the raw text: the place of an offset behind the last character.
    """

    text: str
    starts: array[int]
    ends: array[int]
    end: int


class _Recorder:
    """Collects characters and their places."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.starts = array("i")
        self.ends = array("i")

    def add(self, char: str, start: int, end: int) -> None:
        """One character made of ``raw[start:end]``."""
        self.text.append(char)
        self.starts.append(start)
        self.ends.append(end)

    def copy(self, raw: str, start: int, end: int) -> None:
        """Characters that stand for themselves."""
        self.text.append(raw[start:end])
        self.starts.extend(range(start, end))
        self.ends.extend(range(start + 1, end + 1))

    def breaks(self, breaks: list[tuple[int, int]]) -> None:
        """A line feed for each break."""
        for start, end in breaks:
            self.add("\n", start, end)

    def fold(self, breaks: list[tuple[int, int]]) -> None:
        """The breaks between two lines of flowing text: one is a blank, of several the first is dropped."""
        if len(breaks) == 1:
            self.add(" ", *breaks[0])
        else:
            self.breaks(breaks[1:])

    def finished(self, end: int) -> CharacterMap:
        """The map; the text ends at ``end``."""
        return CharacterMap("".join(self.text), self.starts, self.ends, end)


@lru_cache(maxsize=2)  # findings come scalar by scalar, and a map is four times as large as its scalar
def character_map(raw: str, parent_indent: int = 0) -> CharacterMap:
    """The text of a scalar and the place of each character.

    Args:
        raw: the scalar as written, without anchor and tag.
        parent_indent: column of the collection that holds a block scalar; counts only where its header says how
            deep it is indented (``|2``).
    """
    match raw[:1]:
        case '"' | "'" as quote:
            return _quoted(raw, quote)
        case "|" | ">" as style:
            return _block(raw, parent_indent, folded=style == ">")
        case _:
            return _plain(raw)


def _plain(raw: str) -> CharacterMap:
    out = _Recorder()
    at = 0
    while at < len(raw):
        found = _BREAK.search(raw, at)
        line_end = found.start() if found else len(raw)
        text_end = len(raw[:line_end].rstrip(" \t")) if found else line_end
        out.copy(raw, at, max(text_end, at))
        at, breaks = _breaks(raw, line_end)
        if breaks and at < len(raw):
            out.fold(breaks)
    return out.finished(len(raw))


def _breaks(raw: str, at: int) -> tuple[int, list[tuple[int, int]]]:
    """The line breaks from ``at`` on with the blanks between and behind them, and the offset of what follows."""
    breaks = []
    while match := _BREAK.match(raw, at):
        breaks.append(match.span())
        at = match.end()
        blanks = _BLANKS.match(raw, at)
        at = blanks.end() if blanks else at
    return at, breaks


def _quoted(raw: str, quote: str) -> CharacterMap:
    out = _Recorder()
    special = re.compile(r"['\r\n]" if quote == "'" else r'["\\\r\n]')
    at = 1
    while at < len(raw):
        match = special.search(raw, at)
        stop = match.start() if match else len(raw)
        if match and raw[stop] in "\r\n":
            # Blanks before a break go with it; those that an escape made are not among these.
            kept = max(len(raw[:stop].rstrip(" \t")), at)
            out.copy(raw, at, kept)
            at, breaks = _breaks(raw, stop)
            out.fold(breaks)
            continue
        out.copy(raw, at, stop)
        at = stop
        if not match:
            break
        if raw[stop] == "\\":
            at = _escape(raw, stop, out)
        elif quote == "'" and raw.startswith("''", stop):
            out.add("'", stop, stop + 2)
            at = stop + 2
        else:
            return out.finished(stop)
    return out.finished(at)


def _escape(raw: str, at: int, out: _Recorder) -> int:
    """Takes the escape at ``at``; gives the offset behind it."""
    code = raw[at + 1 : at + 2]
    if code in ("\r", "\n"):
        after, breaks = _breaks(raw, at + 1)
        out.breaks(breaks[1:])  # the escaped break is gone, empty lines behind it are not
        return after
    digits = raw[at + 2 : at + 2 + _CODE_LENGTH.get(code, 0)]
    end = at + 1 + len(code) + len(digits)
    if code in _CODE_LENGTH and _HEX.fullmatch(digits):
        number = int(digits, 16)
        out.add(chr(number) if number <= sys.maxunicode else "\ufffd", at, end)
    elif code:
        out.add(_ESCAPED.get(code, code), at, end)
    return end


def _block(raw: str, parent_indent: int, *, folded: bool) -> CharacterMap:
    header = _HEADER.match(raw)
    if header is None:
        return CharacterMap("", array("i"), array("i"), len(raw))
    flags = header["first"] + header["second"]
    chomping = "+" if "+" in flags else "-" if "-" in flags else ""
    increment = next((int(flag) for flag in flags if flag.isdigit()), 0)
    indent = parent_indent + increment if increment else 0
    out = _Recorder()
    at, breaks, indent = _block_breaks(raw, header.end(), indent)
    leading: tuple[int, int] | None = None
    after_blank = False
    end = at
    while at < len(raw) and _column(raw, at) == indent:
        blank = raw[at] in " \t"
        if leading is not None:
            if folded and not after_blank and not blank:
                if not breaks:
                    out.add(" ", *leading)
            else:
                out.add("\n", *leading)
        out.breaks(breaks)
        after_blank = blank
        found = _BREAK.search(raw, at)
        end = found.start() if found else len(raw)
        out.copy(raw, at, end)
        leading = found.span() if found else None
        at, breaks, _ = _block_breaks(raw, found.end() if found else len(raw), indent)
    if chomping != "-" and leading is not None:
        out.add("\n", *leading)
        end = leading[1]
    if chomping == "+":
        out.breaks(breaks)
        end = breaks[-1][1] if breaks else end
    return out.finished(end)


def _column(raw: str, at: int) -> int:
    return at - max(raw.rfind("\n", 0, at), raw.rfind("\r", 0, at)) - 1


def _block_breaks(raw: str, at: int, indent: int) -> tuple[int, list[tuple[int, int]], int]:
    """Skips indentation and empty lines from the start of a line.

    Args:
        raw: the scalar.
        at: the start of a line.
        indent: the column of the text, 0 where the first line that is not empty decides it.

    Returns:
        The offset behind, the breaks skipped, and the column of the text.
    """
    breaks: list[tuple[int, int]] = []
    deepest = 0
    while True:
        line = at
        while at < len(raw) and raw[at] == " " and (indent == 0 or at - line < indent):
            at += 1
        deepest = max(deepest, at - line)
        match = _BREAK.match(raw, at)
        if match is None:
            return at, breaks, indent or max(deepest, 1)
        breaks.append(match.span())
        at = match.end()
