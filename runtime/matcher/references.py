"""Lists of references and handlers: where a document's edges are decided.

The rules are those of `docs/decisions/0009-no-dead-ends.md`; `Draft` answers what is needed to judge them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.runtime.matcher.frames import Fixed, Frame, Option, Then, choice, either
from agentic_dsl.runtime.matcher.open_words import WORD, OpenWord
from agentic_dsl.runtime.matcher.plan import END_ID
from agentic_dsl.runtime.matcher.queries import can_call, query

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.plan import PlannedCall
    from agentic_dsl.runtime.matcher.state import Draft

_CLOSE, _NEXT_ITEM = b"]\n", b', "'
FEWEST_BRANCHES = 2

Name = Callable[["Draft", str], "Draft"]
"""A transition that names a node."""


def new_id(
    doc: Draft,
    end: bytes,
    then: Callable[[Draft, str], Frame],
    known: Sequence[str],
    fresh: bool,
    *,
    end_too: bool = False,
) -> OpenWord:
    """The id of a node: a known one, or where ``fresh`` one that nothing has yet, ``end`` only where ``end_too``."""
    ends: Sequence[str] = (END_ID,)
    taken = [YAML_WORDS, doc.ids, doc.pending.keys(), doc.block.reserved, () if end_too else ends]
    return OpenWord(
        doc,
        WORD,
        end,
        then,
        limit=doc.plan.max_word,
        known=known,
        fresh=fresh,
        taken=taken,
        alike=ends if end_too else (),
    )


def known_targets(doc: Draft, holds_required: bool) -> tuple[list[str], bool]:
    """The names that may be referred to, in the order of the policy, and whether new ones may be.

    ``end`` is an end, so it may be named only where what is required is there; as a new name it needs a slot too.
    """
    if not holds_required and not doc.recovers:
        return [], False
    node, plan = doc.node, doc.plan
    known = [name for name in doc.pending if name not in node.listed and (name != END_ID or holds_required)]
    new_end = (
        doc.fresh
        and holds_required
        and END_ID in plan.types
        and len(END_ID) <= plan.max_word
        and END_ID not in doc.ids
        and END_ID not in doc.pending
        and END_ID not in doc.block.reserved
    )
    return [*known, *([END_ID] if new_end else [])], doc.fresh


# --- handlers --------------------------------------------------------------------------------------------------------


def handler(doc: Draft, then: Then) -> Frame:
    """The target of a handler, after its opening quote: an end where what is required is there, or a node."""
    holds = not doc.node.env.lacks(doc.required)
    after: Then = lambda doc: Fixed(doc, b"\n", then)  # noqa: E731  # a continuation
    frames: list[Frame] = []
    if holds:
        frames += [Fixed(doc, f'{end}"'.encode(), partial(_handled_outside, end, after)) for end in doc.plan.ends]
    frames += _node(doc, holds, lambda doc, name: Fixed(doc.handling(name), b'"', after))
    return either(frames)


def can_handle(doc: Draft) -> bool:
    """Whether a handler has any target."""
    holds = not doc.node.env.lacks(doc.required)
    known, fresh = known_targets(doc, holds)
    return holds or bool(known) or fresh


def _handled_outside(end: str, after: Then, doc: Draft) -> Frame:
    if end in doc.plan.outside:
        # Something outside may go on with the run, so the success of the node is a condition from here on.
        doc = doc._replace(node=doc.node._replace(splits=True))
    return after(doc)


def _node(
    doc: Draft, holds: bool, then: Callable[[Draft, str], Frame], allow: Callable[[str | None], bool] | None = None
) -> list[Frame]:
    """A node of the block; ``allow`` narrows the names, None stands for a new one. Nothing where there is none."""
    known, fresh = known_targets(doc, holds)
    if allow is not None:
        known, fresh = [name for name in known if allow(name)], fresh and allow(None)
    if not known and not fresh:
        return []
    return [Fixed(doc, doc.block.prefix, lambda doc: new_id(doc, b'"', then, known, fresh))]


# --- branches --------------------------------------------------------------------------------------------------------


def targets_left(doc: Draft) -> int:
    """How many more different nodes the list that is being written can name."""
    known, fresh = known_targets(doc, not doc.node.delivered.lacks(doc.required))
    old = sum(name in doc.pending for name in known)
    return old + (doc.slots - len(doc.pending) if fresh else 0)


def branches(doc: Draft, then: Then) -> Frame:
    """The branches of a fork, after the opening quote of one."""
    return either(
        _node(doc, _holds(doc), lambda doc, name: Fixed(doc.naming(name), b'"', partial(_after_branch, then)))
    )


def _after_branch(then: Then, doc: Draft) -> Frame:
    options: list[Option] = []
    more = (_NEXT_ITEM, lambda doc: branches(doc, then))
    if len(doc.node.listed) >= FEWEST_BRANCHES and doc.padded:
        options.append((_CLOSE, then))
    if targets_left(doc):
        options.insert(0 if _wants_more(doc) else len(options), more)
    return choice(doc, options)


def _wants_more(doc: Draft) -> bool:
    """Whether the policy names one more node here: the cheapest way to ``min_nodes``."""
    return doc.fresh and doc.total < doc.plan.constraints.min_nodes


# --- next ------------------------------------------------------------------------------------------------------------


def _holds(doc: Draft) -> bool:
    return not doc.node.delivered.lacks(doc.required)


def successors(doc: Draft, then: Then) -> Frame:
    """``next`` after the opening quote of an item: library calls, then one end or nodes."""
    frames: list[Frame] = []
    holds = _holds(doc)
    if not doc.node.listed and holds and doc.padded:
        frames += [Fixed(doc, f'{end}"]\n'.encode(), then) for end in doc.plan.ends]
    named = _node(doc, holds, lambda doc, name: Fixed(doc.naming(name), b'"', partial(_after_node, then)))
    frames = [*named, *frames] if _wants_more(doc) else [*frames, *named]
    if not doc.node.listed:
        useful, others = _calls(doc, then)
        # What is required and not there comes from calls first; other calls are never the policy's choice.
        frames = [*useful, *frames, *others]
    return either(frames)


def _calls(doc: Draft, then: Then) -> tuple[list[Frame], list[Frame]]:
    """The library calls that bring something required that is not there, and the others."""
    useful: list[Frame] = []
    others: list[Frame] = []
    missing = doc.node.delivered.missing(doc.required)
    for call in doc.plan.calls:
        if can_call(call, doc):
            group = useful if any(name in call.outputs for name in missing) else others
            group.append(_call(doc, call, then))
    return useful, others


def _after_node(then: Then, doc: Draft) -> Frame:
    options: list[Option] = []
    if doc.padded:
        options.append((_CLOSE, then))
    if targets_left(doc):
        more = (_NEXT_ITEM, lambda doc: successors(doc, then))
        options.insert(0 if _wants_more(doc) else len(options), more)
    return choice(doc, options)


def _call(doc: Draft, call: PlannedCall, then: Then) -> Frame:
    """A library call, and what may follow it."""
    after = partial(_after_call, call, then)
    return Fixed(doc, call.reference.encode(), lambda doc: query(doc, call, after))


def _after_call(call: PlannedCall, then: Then, doc: Draft) -> Frame:
    doc = doc.calling(call)
    options: list[Option] = [(_NEXT_ITEM, lambda doc: successors(doc, then))]
    if _holds(doc) and doc.padded:
        options.insert(0, (_CLOSE, then))
    return choice(doc, options)


__all__ = ["branches", "can_handle", "handler", "new_id", "successors", "targets_left"]
