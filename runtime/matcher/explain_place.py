"""Where a text leaves the generated language: which part of a document stands there, and where it begins and ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from agentic_dsl.node_table import NODE_TABLE, FieldKind, FieldSpec
from agentic_dsl.runtime.matcher.explain_offer import Offer, offer_of
from agentic_dsl.runtime.matcher.frames import Done, Frame
from agentic_dsl.runtime.matcher.output_keys import ResultPath
from agentic_dsl.runtime.matcher.templates import GuardedRead, Index, Member, Read, Steps
from agentic_dsl.runtime.matcher.texts import InTemplate, Text

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft


# --- roles -----------------------------------------------------------------------------------------------------------


_KEY_OF_LINE = re.compile(r'^ *(?:- )?(?:"([^"\n]*)"|([^\s":]+)):')


def key_of(text: str) -> str | None:
    """The key of a line, None where it has none."""
    found = _KEY_OF_LINE.match(text)
    return None if found is None else found[1] or found[2]


class Role(Enum):
    """What part of a document stands at a place."""

    HEAD = "head"
    ID = "id"
    TYPE = "type"
    LINE = "line"
    NAME = "name"
    CHOICE = "choice"
    VALUE = "value"
    TEXT = "text"
    KEY = "key"
    REFERENCE = "reference"
    QUERY = "query"
    LIST = "list"
    TEMPLATE = "template"
    FIELD = "field"
    AFTER = "after"
    DONE = "done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Place:
    """One part of a text, which is not allowed as it stands there.

    Attributes:
        doc: the document before it.
        frame: the frame where it begins.
        offer: what that frame offers.
        line: what stands before it in its line.
        word: the part as it is written, to its end.
        rest: what stands after what was accepted of it, to the end of its line.
        field: the cell of the node table whose value it belongs to.
        above: the accepted lines of the node before this one.
        start: the code point at which it begins.
        later: the text behind it.
    """

    role: Role
    doc: Draft
    frame: Frame
    offer: Offer
    line: str
    word: str
    rest: str
    field: FieldSpec | None
    above: tuple[str, ...]
    start: int
    later: str


_BEHIND_A_READ = Offer(others=("what ends the read", "a step such as .field or [0]"))

_KEY = re.compile(r'^( *)(?:- )?("(?:[^"\\]|\\.)*"|[^\s":]+):(?: (.*))?$', re.DOTALL)
_QUOTED = re.compile(r'(?:[^"\\\n]|\\.)*')
_READ = re.compile(r"(?:\$\.?)?(?:inputs\.)?\w*")
_MEMBER = re.compile(r"\w*")
_BARE = re.compile(r'[^\s",\]}]*')
_LINE_KEY = re.compile(r'[ \t]*(?:- )?(?:"[^"\n]*"|[^\s":]+)?:?')
_REST = re.compile(r"[^\n]*")
_MARKS = re.compile(r'"?[^\s"]?')


def place_at(trail: Sequence[Frame], accepted: str, ahead: str, *, whole_line: bool) -> Place:
    """The part of the text at which it leaves the language.

    Args:
        trail: the last frames; the last of them has no step for what comes next.
        accepted: the text up to there, or its end.
        ahead: the text from there on.
        whole_line: whether ``accepted`` holds the beginning of the line; else the role is not known.
    """
    back = offer_of(trail[-1]).back
    frame = trail[-1 - min(back, len(trail) - 1)]
    offer = offer_of(frame)
    if offer.back:
        # The part began with what ended the word before it, so no frame stands at its start.
        frame, offer = trail[-1], offer_of(trail[-1])
    # `back` counts bytes, and what is typed of a part may hold characters of several.
    typed = accepted.encode()[len(accepted.encode()) - back :].decode("utf-8", "replace") if back else ""
    before = accepted[: len(accepted) - len(typed)]
    line = before.rpartition("\n")[2]
    above = _lines_of_node(before)
    field = _field(frame.doc, line, above)
    role = _role(trail[-1], frame, before, field) if whole_line or "\n" in before else Role.UNKNOWN
    pattern = _pattern(role, line, trail[-1])
    found = pattern.match(typed + ahead)
    word = found[0] if found else ""
    if len(word) < len(typed):
        word = typed
    if len(word) == len(typed) and not typed:
        word = ahead[:1].replace("\n", "")
    if role is Role.LINE and typed.strip() and any(text.startswith(typed) and key_of(text) for text in offer.texts):
        key = key_of(word)
        if any(key is not None and key_of(text) == key for text in offer.texts):
            word = (typed + ahead).partition("\n")[0]  # the line may stand here, but not as it is written
    if role in (Role.TEMPLATE, Role.FIELD) and word in offer.texts and len(word) == len(typed):
        # The name is all right: what stands behind it is not.
        role, offer, before, word = Role.TEMPLATE, _BEHIND_A_READ, accepted, ahead[:1].replace("\n", "")
    return Place(role, frame.doc, frame, offer, line, word, ahead.partition("\n")[0], field, above, len(before), ahead)


def _pattern(role: Role, line: str, last: Frame) -> re.Pattern[str]:
    while isinstance(last, InTemplate):
        last = last.inner
    match role:
        case Role.LINE:
            return _LINE_KEY
        case Role.TEMPLATE:
            return _READ if not isinstance(last, Steps) else _BARE
        case Role.FIELD:
            return _MEMBER
        case Role.REFERENCE | Role.KEY if line.count('"') % 2:
            return _QUOTED
        case Role.ID | Role.TYPE | Role.NAME | Role.CHOICE | Role.HEAD:
            return _REST
        case Role.LIST:
            return _MARKS
        case _:
            return _BARE


def _lines_of_node(before: str) -> tuple[str, ...]:
    """The whole lines since the last node began."""
    start = before.rfind("\n  - id: ")
    lines = before[start + 1 :].split("\n")
    return tuple(lines[:-1])


def _field(doc: Draft, line: str, above: tuple[str, ...]) -> FieldSpec | None:
    """The cell whose value the line holds."""
    found = _KEY.match(line)
    if doc.node.type not in NODE_TABLE:
        return None
    path = [found[2]] if found else []
    if (len(found[1]) if found else len(line) - len(line.lstrip())) > 4 or not found:
        parents = [match for text in reversed(above) if (match := _KEY.match(text)) and len(match[1]) == 4]
        path = [*([parents[0][2]] if parents else []), *path]
    specs = NODE_TABLE[doc.node.type].fields
    for spec in specs:
        if spec.path == tuple(path) or (len(path) > 1 and spec.path == (path[0],)):
            return spec
    return None


def _role(last: Frame, frame: Frame, before: str, field: FieldSpec | None) -> Role:
    line = before.rpartition("\n")[2]
    begin = max(before.rfind("### AgenticDSL `"), before.rfind("\n# --- END"))
    in_head = "\nnodes:\n" not in before[begin + 1 :] and not before.endswith("# --- END AgenticDSL ---\n")
    inner = last
    while isinstance(inner, InTemplate | ResultPath):
        inner = inner.inner
    if isinstance(frame, Done):
        return Role.DONE
    if in_head:
        return Role.HEAD
    if isinstance(inner, Member):
        return Role.FIELD
    if isinstance(last, InTemplate) or (isinstance(inner, Read | Steps | GuardedRead | Index)):
        return Role.TEMPLATE
    if not line.strip():
        return Role.LINE
    if line == "  - id: ":
        return Role.ID
    if line == "    type: ":
        return Role.TYPE
    return _value_role(frame, line, field)


def _value_role(frame: Frame, line: str, field: FieldSpec | None) -> Role:
    """The role of a place inside the value of a line."""
    texts = offer_of(frame).texts
    if texts == ("\n",):
        return Role.AFTER
    if field is None:
        return Role.VALUE
    if texts and all(text in _MORE for text in texts):
        return Role.LIST
    match field.kind:
        case FieldKind.REFERENCES | FieldKind.REFERENCE:
            quoted = line.rpartition('"')[2]
            called = any(call.reference == quoted for call in frame.doc.plan.calls)
            return Role.QUERY if called or "?" in quoted else Role.REFERENCE
        case FieldKind.KEYS:
            return Role.KEY
        case FieldKind.CHOICE:
            return Role.CHOICE
        case FieldKind.NAME:
            return Role.NAME
        case FieldKind.TEXT:
            return Role.TEXT
        case _:
            return Role.TEXT if isinstance(frame, Text) else Role.VALUE


_MORE = frozenset({"]\n", ', "', '"]\n', '", "'})
"""What may stand behind an item of a list of references or keys."""

__all__ = ["Place", "Role", "key_of", "place_at"]
