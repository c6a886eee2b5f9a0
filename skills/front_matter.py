"""The front matter of a ``SKILL.md``: found, read as YAML, and held to the table of its keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from agentic_dsl import codes
from agentic_dsl.compiler.parse.problem import quoted
from agentic_dsl.compiler.parse.wording import kind_of
from agentic_dsl.compiler.parse.yaml_body import read_yaml
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar
from agentic_dsl.compiler.suggestions import Suggester
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Source, Span


@dataclass(frozen=True, slots=True)
class FrontField:
    """One key that front matter may have: a row of `FRONT_FIELDS`.

    Attributes:
        key: the key.
        doc: what it is, for documentation.
        required: whether each skill has it.
        longest: the most characters of its text.
        is_mapping: whether it holds texts by name instead of one text.
    """

    key: str
    doc: str
    required: bool = False
    longest: int | None = None
    is_mapping: bool = False


FRONT_FIELDS: tuple[FrontField, ...] = (
    FrontField("name", "small letters, digits and single hyphens; the name of the folder", required=True, longest=64),
    FrontField("description", "what the skill is for and when to use it", required=True, longest=1024),
    FrontField("license", "a licence by name, or the file that holds it"),
    FrontField("compatibility", "what the skill needs of its surroundings", longest=500),
    FrontField("metadata", "texts by name; ours are version, tags, requires and tools", is_mapping=True),
    FrontField("allowed-tools", "tools that the skill may use, separated by spaces"),
)
"""Every key that front matter may have, in the order in which people write them."""

_BY_KEY = {field.key: field for field in FRONT_FIELDS}

_OPENS = re.compile(r"---[ \t]*(?:\r\n|\n|\r|\Z)")
_CLOSES = re.compile(r"^---[ \t]*\r?(?:\n|\Z)", re.MULTILINE)


class Entry(NamedTuple):
    """A text of the front matter, and where its key and the text stand."""

    text: str
    key: Span
    value: Span


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What was found.

    Attributes:
        texts: the keys that hold one text.
        metadata: the texts under ``metadata``.
        body_start: where the body begins in the source.
        span: the line that opens it, for what is wrong with the whole.
    """

    texts: dict[str, Entry]
    metadata: dict[str, Entry]
    body_start: int
    span: Span


def read_front_matter(source: Source, diagnostics: list[Diagnostic]) -> FrontMatter | None:
    """The front matter of a manifest; None where there is none that can be read.

    Args:
        source: the manifest.
        diagnostics: takes what is wrong with it.
    """
    text = source.text
    opens = _OPENS.match(text)
    if opens is None:
        first = Span(0, len(source.line(1)))
        message = f"{quoted(source.line(1))} stands where front matter begins" if text.strip() else "the file is empty"
        diagnostics.append(codes.NO_FRONT_MATTER.at(first, message, help='begin the file with a line of "---"'))
        return None
    closes = _CLOSES.search(text, opens.end())
    if closes is None:
        message = "the front matter that begins here is never closed"
        help = 'write a line of "---" behind it'
        diagnostics.append(codes.OPEN_FRONT_MATTER.at(Span(0, 3), message, help=help))
        return None
    root, found, _ = read_yaml(text[opens.end() : closes.start()], opens.end())
    diagnostics += found
    if not isinstance(root, YamlMapping):
        if not found:
            what = "empty" if root is None else kind_of(root)
            span = Span(0, 3) if root is None else root.span
            help = 'write "name: …" and "description: …"'
            diagnostics.append(codes.NOT_A_MAPPING.at(span, f"the front matter is {what}", help=help))
        return None
    front = FrontMatter({}, {}, closes.end(), Span(0, 3))
    _read_fields(root, front, diagnostics)
    return front


def _read_fields(root: YamlMapping, front: FrontMatter, diagnostics: list[Diagnostic]) -> None:
    suggester = Suggester()
    present = set()
    for key, value in root.pairs:
        present.add(key.text)
        field = _BY_KEY.get(key.text)
        if field is None:
            keys = ", ".join(_BY_KEY)
            help = suggester.help(key.text, _BY_KEY, f'put it under "metadata"; the keys are {keys}')
            message = f"skills have no key {quoted(key.text)}"
            diagnostics.append(codes.UNKNOWN_SKILL_KEY.at(key.span, message, help=help))
        elif field.is_mapping:
            _read_metadata(key, value, front, diagnostics)
        elif (entry := _text_of(field, key, value, diagnostics)) is not None:
            front.texts[field.key] = entry
    for field in FRONT_FIELDS:
        if field.required and field.key not in present:
            message, help = f"the front matter has no {field.key}", f'write "{field.key}: …": {field.doc}'
            diagnostics.append(codes.MISSING_SKILL_KEY.at(front.span, message, help=help))


def _text_of(field: FrontField, key: YamlScalar, value: YamlNode, diagnostics: list[Diagnostic]) -> Entry | None:
    """The text of a field, None where its value is none or breaks the limits of its length."""
    where = value.span if value.end > value.start else key.span
    if isinstance(value, YamlScalar) and value.value is None:
        if any(diagnostic.span == where for diagnostic in diagnostics):
            return None  # an alias of nothing: the reader of YAML has said so
        message, help = f"{field.key} is empty", f"write {field.doc}, or remove the key"
        diagnostics.append(codes.SKILL_TEXT_LENGTH.at(where, message, help=help))
        return None
    if not isinstance(value, YamlScalar) or not isinstance(value.value, str):
        message = f"{field.key} is {kind_of(value)}, and must be one text"
        help = f"put it in quotes: {quoted(value.text)}" if isinstance(value, YamlScalar) else f"write {field.doc}"
        diagnostics.append(codes.SKILL_VALUE_TYPE.at(where, message, help=help))
        return None
    text = value.text.strip()
    if not text:
        message, help = f"{field.key} is empty", f"write {field.doc}, or remove the key"
        diagnostics.append(codes.SKILL_TEXT_LENGTH.at(where, message, help=help))
        return None
    if field.longest is not None and len(text) > field.longest:
        message = f"{field.key} has {len(text):,} characters, and may have {field.longest:,}"
        help = f"shorten it by {len(text) - field.longest:,} characters"
        diagnostics.append(codes.SKILL_TEXT_LENGTH.at(where, message, help=help))
        return None
    return Entry(text, key.span, where)


def _read_metadata(key: YamlScalar, value: YamlNode, front: FrontMatter, diagnostics: list[Diagnostic]) -> None:
    if not isinstance(value, YamlMapping):
        where = value.span if value.end > value.start else key.span
        message = f"metadata is {kind_of(value)}, and must be a mapping"
        diagnostics.append(codes.BAD_METADATA.at(where, message, help='write lines such as version: "1.0.0" below it'))
        return
    for name, node in value.pairs:
        where = node.span if node.end > node.start else name.span
        if isinstance(node, YamlScalar) and isinstance(node.value, str):
            front.metadata[name.text] = Entry(node.text, name.span, where)
            continue
        if any(diagnostic.span == where for diagnostic in diagnostics):
            continue
        message = f"the metadata {quoted(name.text)} is {kind_of(node)}, and must be a text"
        is_scalar = isinstance(node, YamlScalar) and node.value is not None
        help = f"put it in quotes: {quoted(node.text)}" if is_scalar else "write one text"  # type: ignore[union-attr]
        diagnostics.append(codes.BAD_METADATA.at(where, message, help=help))
