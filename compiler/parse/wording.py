"""How messages show what was written."""

from __future__ import annotations

from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar, YamlSequence

_LONGEST = 60


def shown(text: str) -> str:
    """A text as a message quotes it: one line, not too long, nothing that a terminal would act on."""
    if len(text) <= _LONGEST and text.isidentifier():
        return text
    start = text[: 4 * _LONGEST]
    line = " ".join(start.split())
    if len(line) > _LONGEST or len(start) < len(text):
        line = line[: _LONGEST - 1] + "…"
    return line if line.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)


def kind_of(node: YamlNode) -> str:
    """What a value is, in plain words."""
    match node:
        case YamlSequence():
            return "a list"
        case YamlMapping():
            return "a mapping"
        case YamlScalar(value=None):
            return "empty"
        case YamlScalar(value=bool()):
            return "true or false"
        case YamlScalar(value=int() | float()):
            return "a number"
        case _:
            return "text"
