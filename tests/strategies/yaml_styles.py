"""One value as YAML text in any style: block or flow, every kind of quotes, comments in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from agentic_dsl.format_values import is_plain, number, quote
from agentic_dsl.signature import Data


class Painter:
    """Writes YAML; every choice of style is drawn."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def pick(self, *options: Any) -> Any:
        """One of the options."""
        return self.draw(st.sampled_from(options))

    def body(self, data: Mapping[str, Data]) -> list[str]:
        """A whole body: block style, or flow style on one line."""
        return self.rows(data, 0) if data and not self.pick(True, False, False, False) else [self.flow(data)]

    # -- block style --

    def rows(self, value: Any, indent: int) -> list[str]:
        pad = " " * indent
        lines: list[str] = []
        if isinstance(value, Mapping):
            for key, item in value.items():
                lines += self.comment(indent)
                self.entry(lines, f"{pad}{self.key(key)}:", item, indent)
        else:
            for item in value:
                inner = self.rows(item, indent + 2) if self.is_block(item) else []
                if inner and not any(line.lstrip().startswith("#") for line in inner[:1]):
                    lines += [f"{pad}- {inner[0][indent + 2 :]}", *inner[1:]]
                elif inner:
                    lines += [f"{pad}-", *inner]
                else:
                    self.entry(lines, f"{pad}-", item, indent, as_item=True)
        return lines

    def entry(self, lines: list[str], start: str, item: Any, indent: int, *, as_item: bool = False) -> None:
        """Appends a key or dash with its value."""
        if not as_item and self.is_block(item):
            lines.append(start + self.pick("", "", "  # trailing"))
            # A list may stand at the indent of its key.
            deeper = indent if not isinstance(item, Mapping) and self.pick(True, False) else indent + self.pick(1, 2, 4)
            lines += self.rows(item, deeper)
        elif isinstance(item, str) and _can_be_literal(item) and self.pick(True, False):
            sign = "" if item.endswith("\n") and not item.endswith("\n\n") else "+" if item.endswith("\n") else "-"
            rows = item.removesuffix("\n").split("\n")
            lines.append(f"{start} |{sign}")
            lines += [f"{' ' * (indent + 2)}{row}" if row else "" for row in rows]
        else:
            lines.append(f"{start} {self.flow(item)}{self.pick('', '', '', ' # trailing')}")

    def is_block(self, value: Any) -> bool:
        return isinstance(value, Mapping | tuple | list) and bool(value) and self.pick(True, True, False)

    def comment(self, indent: int) -> list[str]:
        return [" " * indent + "# a comment: [x] \"y\" 'z'"] if self.pick(*[False] * 7, True) else []

    # -- flow style --

    def flow(self, value: Any) -> str:
        match value:
            case Mapping():
                return "{" + ", ".join(f"{self.key(key)}: {self.flow(item)}" for key, item in value.items()) + "}"
            case list() | tuple():
                comma = self.pick(", ", ",  ")
                last = self.pick("", ",") if value else ""
                return f"[{comma.join(map(self.flow, value))}{last}]"
            case str():
                return self.text(value)
            case None:
                return str(self.pick("null", "~", "Null"))
            case bool():
                return str(self.pick(str(value).lower(), str(value), str(value).upper()))
            case int():
                return (
                    str(self.pick(str(value), f"{value:+d}", hex(value), f"0o{value:o}")) if value >= 0 else str(value)
                )
            case _:
                return number(value)

    def key(self, text: str) -> str:
        return self.text(text)

    def text(self, text: str) -> str:
        styles = [quote(text), _escaped(text)]
        if _is_printable(text) and "\n" not in text:
            styles.append("'" + text.replace("'", "''") + "'")
        if is_plain(text):
            styles += [text, text]
        return str(self.pick(*styles))


def _escaped(text: str) -> str:
    """Double quotes with YAML's own escapes for everything but letters."""
    shown = [char if char.isascii() and char.isalnum() else _code(ord(char)) for char in text]
    return '"' + "".join(shown) + '"'


def _code(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _is_printable(text: str) -> bool:
    return not any(ord(c) < 32 or 0x7F <= ord(c) <= 0x9F or c in "\ufeff\ufffe\uffff\u2028\u2029" for c in text)


def _can_be_literal(text: str) -> bool:
    rows = text.split("\n")
    return bool(text) and _is_printable("".join(rows)) and text[0] not in " \n" and all(r == r.rstrip() for r in rows)
