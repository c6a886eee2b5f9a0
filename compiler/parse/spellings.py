"""Accepted spellings that the node table alone does not give (``language.md`` §4), as data and small passes.

From the table itself come: a nested field written on the node (``branches:`` on a fork), scalars for lists, ``{path:
…}`` for a reference, one template for a mapping. Old type names are `node_table.DEPRECATED_TYPES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentic_dsl import codes
from agentic_dsl.compiler.parse.comments import comment_text
from agentic_dsl.compiler.parse.readers import Reader
from agentic_dsl.compiler.parse.reading import Reading
from agentic_dsl.compiler.parse.template_pieces import holds_template
from agentic_dsl.compiler.parse.values import read_loose_text
from agentic_dsl.compiler.parse.wording import kind_of
from agentic_dsl.compiler.parse.yaml_tree import YamlComment, YamlNode, YamlScalar
from agentic_dsl.node_table import DEPRECATED_TYPES, Assert, Fork, Node
from agentic_dsl.signature import Data

DEV_COMMENT = "dev_comment"
"""The key that held comments before Markdown and YAML comments did."""

_CONDITION_OPEN, _CONDITION_CLOSE = "{{ ", " }}"
"""What is put around a bare condition."""

Fields = dict[str, Any]
"""Attribute → value of a node that is being read."""

Pass = Callable[[Reading, Fields], None]


def renamed(reading: Reading, type_node: YamlScalar) -> tuple[str, Mapping[str, Data]]:
    """The type that an accepted type name means, and the fields that it implies; reports a deprecated one."""
    new = DEPRECATED_TYPES.get(type_node.text)
    if new is None:
        return type_node.text, {}
    reading.report(
        codes.DEPRECATED_SPELLING,
        type_node.span,
        f'"{type_node.text}" is the old name of the type "{new[0]}"',
        f"write: type: {new[0]}",
    )
    return new


def keep_remark(reading: Reading, key: YamlScalar, value: YamlNode, *, is_first: bool) -> None:
    """Turns a ``dev_comment`` into comments that stand in its place; deprecated."""
    reading.report(
        codes.DEPRECATED_SPELLING,
        key.span,
        f'"{DEV_COMMENT}" of {reading.subject} is an old way to write a comment',
        'write a comment: "# …"',
    )
    if not isinstance(value, YamlScalar):
        message = f'"{DEV_COMMENT}" of {reading.subject} is {kind_of(value)}; text is wanted'
        reading.report(codes.WRONG_TYPE, value.span, message, "write a comment instead")
        return
    # Trailing, so that a remark at the end of a node stays with the node.
    lines = value.text.splitlines()
    reading.remarks += [YamlComment(comment_text("# " + line), key.start, trailing=not is_first) for line in lines]


def _wrap_condition(_reading: Reading, fields: Fields) -> None:
    """A bare expression is a condition too: ``count > 0`` means ``{{ count > 0 }}``."""
    condition = fields.get("condition")
    if isinstance(condition, str) and condition.strip() and not holds_template(condition):
        fields["condition"] = _with_braces(condition)


def _with_braces(condition: str) -> str:
    return f"{_CONDITION_OPEN}{condition.strip()}{_CONDITION_CLOSE}"


def condition_shift(written: str, condition: str) -> int:
    """How much further right a part of a condition stands in the text that it was read from (negative: left).

    Args:
        written: the text of the scalar in the document.
        condition: the node's, which has braces and no blanks around it where the written one was bare.
    """
    if written == condition or _with_braces(written) != condition:
        return 0
    return len(written) - len(written.lstrip()) - len(_CONDITION_OPEN)


def _drop_next(reading: Reading, fields: Fields) -> None:
    """A fork's join follows from its branches."""
    if fields.pop("next", ()):
        span = reading.keys[("next",)]
        message = f'"next" of {reading.subject} has no effect: a fork goes to its branches'
        reading.report(codes.DROPPED_FIELD, span, message, 'remove "next"')


READERS: Mapping[tuple[type[Node], str], Reader] = {(Assert, "condition"): read_loose_text}
"""Fields that take more than their kind says: a bare condition may be ``true``."""

PASSES: Mapping[type[Node], tuple[Pass, ...]] = {Assert: (_wrap_condition,), Fork: (_drop_next,)}
"""Row → what is done to its fields after they are read, in order."""
