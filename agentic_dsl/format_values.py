"""Values as canonical YAML: scalars, flow lists, keys, nested data with its comments.

One style for nested data: scalars, lists of scalars and empty containers stand on the line of their key; any other list
or mapping is a block, two spaces further in. So a string is always on one line, and a line that begins with ``#`` is
always a comment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache

from agentic_dsl.signature import Data
from agentic_dsl.span import SpanPath

Comments = Mapping[SpanPath, tuple[str, ...]]
"""Comments without ``#`` and the space after it, by the path of the key or list item that follows them."""

INDENT = 2

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
"""Words that need no quotes, unless they are one of `YAML_WORDS`."""

YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that a YAML 1.1 or 1.2 reader takes for a boolean or null, in lower case."""

MAX_SIMPLE_KEY = 1000
"""Longest printed key that stands on one line with its value; YAML readers give up at 1024 characters."""


class Bare(str):
    """A word that is printed without quotes where that is safe."""

    __slots__ = ()


# --- scalars ---------------------------------------------------------------------------------------------------------

_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}

# C0, DEL and C1 controls; then what YAML forbids as raw text: surrogates and the two non-characters.
_ESCAPED = re.compile('["\\\\\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]')


def quote(text: str) -> str:
    """A string in double quotes, with only the escapes of the canonical layout."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    return _SHORT_ESCAPES.get(char) or f"\\u{ord(char):04x}"


def is_plain(text: str) -> bool:
    """Whether every YAML reader takes the bare word for this string."""
    return PLAIN.fullmatch(text) is not None and text.lower() not in YAML_WORDS


def bare(text: str) -> str:
    """A word without quotes where that is safe, else in quotes."""
    return _bare(text) if len(text) <= _OFTEN else _bare.__wrapped__(text)


@lru_cache(maxsize=4096)
def _bare(text: str) -> str:
    return text if is_plain(text) else quote(text)


_OFTEN = 64
"""Words of no more characters come again and again: keys, types, ids."""


_SMALLEST_POSITIONAL, _LARGEST_POSITIONAL = 1e-7, 1e21


def number(value: int | float) -> str:
    """A number as JSON prints it: the shortest digits that read back as the same number.

    Exponents only outside ``1e-7 ≤ |x| < 1e21``, and then with a point in the mantissa, without which a YAML 1.1 reader
    takes the number for a string.
    """
    if isinstance(value, int):
        return str(int(value))
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if value == 0 or _SMALLEST_POSITIONAL <= abs(value) < _LARGEST_POSITIONAL:
        digits = format(Decimal(repr(value)), "f")
        return digits if "." in digits else f"{digits}.0"
    mantissa, exponent = repr(value).split("e")
    return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}e{exponent}"


def scalar(value: Data) -> str:
    """A string, number, boolean or null."""
    if isinstance(value, str):
        return bare(value) if isinstance(value, Bare) else quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    raise TypeError(f"not a scalar: {type(value).__name__}")


# --- containers ------------------------------------------------------------------------------------------------------


def is_container(value: Data) -> bool:
    """Whether a value is a list or a mapping."""
    return not isinstance(value, str) and isinstance(value, Mapping | list | tuple)


def is_inline(value: Data) -> bool:
    """Whether a value stands on the line of its key."""
    if isinstance(value, str):  # nearly all values, and the cheapest question; `Mapping` is the dearest
        return True
    if isinstance(value, list | tuple):
        return not any(map(is_container, value))
    return not (isinstance(value, Mapping) and value)


def inline(value: Data) -> str:
    """A value that `is_inline`, on one line."""
    if isinstance(value, str):
        return scalar(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(scalar, value))}]"
    return "{}" if isinstance(value, Mapping) else scalar(value)


def paths(value: Data, path: SpanPath = ()) -> Iterator[SpanPath]:
    """The path of every key and list item that has a line of its own, so that a comment can stand above it."""
    if is_inline(value):
        return
    pairs: Iterator[tuple[str | int, Data]] = iter(())
    if isinstance(value, Mapping):
        pairs = iter(value.items())
    elif isinstance(value, list | tuple):
        pairs = enumerate(value)
    for key, item in pairs:
        yield (*path, key)
        yield from paths(item, (*path, key))


def mapping_lines(mapping: Mapping[str, Data], indent: int, comments: Comments, path: SpanPath = ()) -> list[str]:
    """The lines of a block mapping, each entry under its comments."""
    pad = " " * indent
    lines: list[str] = []
    for key, value in mapping.items():
        if comments:
            lines += comment_lines(comments.get((*path, key), ()), indent)
        word = bare(key)
        if len(word) > MAX_SIMPLE_KEY:
            lines.append(f"{pad}? {word}")
            word = ""
        if is_inline(value):
            lines.append(f"{pad}{word}: {inline(value)}")
        else:
            lines.append(f"{pad}{word}:")
            lines += _inner_lines(value, indent + INDENT, comments, (*path, key))
    return lines


def _inner_lines(value: Data, indent: int, comments: Comments, path: SpanPath) -> list[str]:
    if isinstance(value, Mapping):
        return mapping_lines(value, indent, comments, path)
    lines: list[str] = []
    for position, item in enumerate(value if isinstance(value, list | tuple) else ()):
        here = (*path, position)
        lines += comment_lines(comments.get(here, ()), indent)
        if is_inline(item):
            lines.append(f"{' ' * indent}- {inline(item)}")
        else:
            lines += item_lines(_inner_lines(item, indent + INDENT, comments, here), indent)
    return lines


def item_lines(lines: list[str], indent: int) -> list[str]:
    """The lines of a block (indented one step more than ``indent``) as a list item: its first line gets the dash.

    Comments above that line move out with the dash, else they would stand inside the item.

    Args:
        lines: of the block; changed and returned.
        indent: of the dash.
    """
    pad = " " * indent
    for at, line in enumerate(lines):
        if not is_comment(line):
            lines[at] = f"{pad}- {line[indent + INDENT :]}"
            break
        lines[at] = f"{pad}{line.lstrip(' ')}"
    return lines


def comment_lines(comments: tuple[str, ...], indent: int) -> list[str]:
    """Comments as they were, at the indent of what they belong to."""
    return [f"{' ' * indent}# {comment}".rstrip() for comment in comments]


def is_comment(line: str) -> bool:
    """Whether a printed line is a comment: nothing else begins with ``#``."""
    return line.lstrip(" ").startswith("#")
