"""``output_keys`` and ``output_mapping``: what a node takes out of its result.

One key is the whole result; of several keys each is a field, so where a tool declares its result they are fields that
it has. Any other name can be written by a mapping.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from agentic_dsl.compiler.checks.catalogue import lacks
from agentic_dsl.compiler.checks.tools import _result_path
from agentic_dsl.runtime.matcher.frames import Fixed, Frame, Option, Then, choice
from agentic_dsl.runtime.matcher.open_words import WORD, OpenWord
from agentic_dsl.runtime.matcher.state import has_field
from agentic_dsl.runtime.matcher.templates import closed_fields, template
from agentic_dsl.runtime.matcher.texts import Text
from agentic_dsl.runtime.matcher.written_keys import more_keys, written_key

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft


def _fields(doc: Draft) -> tuple[str, ...] | None:
    """The fields of the result that keys can name, None where it may have any."""
    tool = doc.node.tool
    names = closed_fields(tool.returns) if tool is not None and tool.returns is not None else None
    return None if names is None else tuple(name for name in names if doc.plan.is_key(name))


def _left(doc: Draft, fields: tuple[str, ...]) -> list[str]:
    """The fields that can be taken besides the keys so far, those first that are still required."""
    missing = set(doc.wanted_keys)
    left = [name for name in fields if name not in doc.node.keys]
    return sorted(left, key=lambda name: (name not in missing, len(name), name))


def wants_mapping(doc: Draft) -> bool:
    """Whether only a mapping can write all that is required."""
    fields = _fields(doc)
    return fields is not None and len(doc.wanted_keys) > 1 and not set(doc.wanted_keys) <= set(fields)


def output_keys(doc: Draft, then: Then, *, more_to_come: bool) -> Frame:
    """The keys, after the opening quote of one.

    Args:
        doc: the document so far.
        then: what follows the list.
        more_to_come: whether the node has a later line that can write what is still required.
    """
    fields = _fields(doc)

    def keyed(doc: Draft, key: str) -> Frame:
        doc = doc.writing(key, result=True)
        options: list[Option] = []
        if not doc.owed or more_to_come or doc.onward(False):
            options.append((b'"]\n', then))
        more = (b'", "', lambda doc: output_keys(doc, then, more_to_come=more_to_come))
        if fields is None:
            if more_keys(doc):
                options.insert(0 if doc.wanted_keys else len(options), more)
        elif has_field(doc.node.tool, doc.node.result_keys[0]) and (left := _left(doc, fields)):
            options.insert(0 if left[0] in doc.wanted_keys else len(options), more)
        return choice(doc, options)

    if fields is None or not doc.node.result_keys:
        return written_key(doc, b'"', keyed, alike=fields or ())
    return OpenWord(doc, WORD, b'"', keyed, limit=doc.plan.max_word, known=_left(doc, fields), fresh=False)


def mapping_entries(doc: Draft, after: Callable[[Draft], list[Option]]) -> Frame:
    """The entries of ``output_mapping``, from the indent of the first on."""

    def entry(doc: Draft) -> Frame:
        return written_key(doc, b":", keyed)

    def keyed(doc: Draft, key: str) -> Frame:
        doc = doc.writing(key, result=False)
        return Fixed(doc, b': "', path)

    def path(doc: Draft) -> Frame:
        end: Then = lambda doc: Fixed(doc, b"\n", more)  # noqa: E731  # a continuation
        most = doc.plan.max_text
        if doc.node.tool is None or doc.node.tool.returns is None:
            return Text(doc, end, most=most, least=1, template=template(doc.node.env))
        return ResultPath(Text(doc, end, most=most, least=1, template=template(doc.node.env)))

    def more(doc: Draft) -> Frame:
        options = after(doc)
        if more_keys(doc):
            options.insert(0 if doc.wanted_keys else len(options), (b"      ", entry))
        return choice(doc, options)

    return Fixed(doc, b"      ", entry)


_NO_PATH = b"?"
"""With this behind it no text is the path of a field, so nothing can be said against it."""

_NEVER = b"!#%&()*+,/:;<=>?@^`{|}~"
"""Characters that stand in no path. There are others, which `_result_path` knows."""

_QUOTE = ord('"')


class ResultPath(Frame):
    """A text that, where it is the path of a field, is that of one which the result has.

    Attributes:
        inner: the same text, whatever it says.
        typed: what has been written of it.
    """

    __slots__ = ("inner", "typed")

    def __init__(self, inner: Text, typed: bytes = b"") -> None:
        super().__init__(inner.doc)
        self.inner, self.typed = inner, typed

    def step(self, byte: int) -> Frame | None:
        """One more byte of the text, as long as it can still become a path that exists."""
        if byte == _QUOTE and not self.inner.begun:
            return self.inner.step(byte) if self._exists(self.typed) else None
        inner = self.inner.step(byte)
        if not isinstance(inner, Text):
            return inner  # nothing, or a template: what holds one is no path
        after = ResultPath(inner, self.typed + bytes((byte,)))
        return after if inner.used < inner.most or after._end() is not None else None

    def longer(self, more: str) -> ResultPath:
        """The frame after some ordinary characters, for which there is room."""
        if not more:
            return self
        return ResultPath(self.inner.at(self.inner.used + len(more)), self.typed + more.encode())

    def _exists(self, typed: bytes) -> bool:
        if typed.translate(None, _NEVER) != typed:
            return True
        tool = self.doc.node.tool
        steps = _result_path(json.loads(b'"' + typed + b'"'))
        return not steps or tool is None or not lacks(tool.returns, steps)

    def _end(self) -> bytes | None:
        """What closes the text; None where nothing does."""
        if not self.typed:
            return _NO_PATH + b'"'
        end = self.inner.end_text
        if self._exists(self.typed + end[:-1]):
            return end
        return end[:-1] + _NO_PATH + b'"' if self.inner.used < self.inner.most else None

    def ending(self) -> tuple[bytes, object, Callable[[], Frame]]:
        """The text of the policy, and what follows it."""
        inner = self.inner
        return self._end() or b"", (id(inner.then), id(self.doc)), lambda: inner.then(self.doc)

    def policy(self) -> tuple[bytes, Frame]:
        """Closes the text soonest."""
        return self._end() or b"", self.inner.then(self.doc)


__all__ = ["ResultPath", "mapping_entries", "output_keys", "wants_mapping"]
