"""The head of a block: heading, markers, signature, permissions; what begins a text, and what follows a block."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agentic_dsl.compiler.grammar.printing import print_text
from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.runtime.matcher.blocks import Block, highest
from agentic_dsl.runtime.matcher.frames import Choice, Done, Fixed, Frame, Option, Then, Words, choice, either
from agentic_dsl.runtime.matcher.nodes import border, types
from agentic_dsl.runtime.matcher.open_words import WORD, OpenWord
from agentic_dsl.runtime.matcher.plan import BEGIN
from agentic_dsl.runtime.matcher.prose import Mixed
from agentic_dsl.runtime.matcher.state import ANY_NAME, Draft, NodeDraft
from agentic_dsl.signature import TYPE_NAMES

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.context import Env
    from agentic_dsl.runtime.matcher.plan import Plan

_HEADING = "### AgenticDSL `"
_NODES = b"nodes:\n"
_MOST_PARAMETERS = 64
"""The most inputs, and the most outputs, of a signature that the model writes."""


# --- blocks ----------------------------------------------------------------------------------------------------------


def start(plan: Plan) -> Frame:
    """The frame before the first byte of an answer."""
    left = plan.further.number
    block = Block(
        path=plan.constraints.path,
        before=0,
        top=highest(plan, 0, plan.limit, left) or 0,
        left=left,
        words=frozenset(),
        reserved=plan.reserved,
        generates={},
        circular=frozenset(),
        then=_after_block,
    )
    doc = _begun(plan, block, plan.begin, plan.required)
    head = _head(doc, f"{_HEADING}{block.path}", plan.signature_text, writes_signature=plan.writes_signature)
    return Mixed(doc, head) if plan.constraints.allow_free_text else head


def _begun(plan: Plan, block: Block, begin: Env, required: frozenset[str]) -> Draft:
    """An answer with a block of which nothing is known yet."""
    return Draft(
        plan=plan,
        block=block,
        required=required,
        begin=begin,
        free=frozenset(begin.origins),
        n=block.before,
        ids=frozenset(),
        pending={},
        results={},
        granted={},
        node=NodeDraft("", -1),
    )


def _head(doc: Draft, before: str, signature: str | None, *, writes_signature: bool) -> Frame:
    """From somewhere in the path of a block to its nodes."""
    head = f"{before}`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\n"
    if signature is not None:
        head += f"signature: {print_text(signature)}\n"
    elif writes_signature:
        return Fixed(doc, f'{head}signature: "('.encode(), _inputs)
    return Fixed(doc, head.encode(), _permissions)


class BetweenBlocks(Frame):
    """Behind a block where the answer has all that it needs: it may end, or go on. The policy ends it."""

    __slots__ = ("further",)
    is_final = True

    def __init__(self, doc: Draft, further: Frame) -> None:
        """``further`` begins the next block."""
        super().__init__(doc)
        self.further = further

    def step(self, byte: int) -> Frame | None:
        """The first byte of another block."""
        return self.further.step(byte)

    def hints(self) -> frozenset[int] | None:
        """That byte."""
        return self.further.hints()

    def policy(self) -> tuple[bytes, Frame]:
        """There is nothing that must be written."""
        return b"", self


def _after_block(doc: Draft) -> Frame:
    """Behind a block: the end, another block, or either."""
    next_doc = _next(doc)
    if next_doc is None:
        return Done(doc)
    further = Fixed(next_doc, f"\n{_HEADING}{doc.plan.constraints.path}/".encode(), _place)
    return BetweenBlocks(doc, further) if doc.n >= doc.plan.constraints.min_nodes else further


def _next(doc: Draft) -> Draft | None:
    """The answer with another block begun, None where none could be finished."""
    plan, block = doc.plan, doc.block
    if not block.left:
        return None
    left = block.left - 1
    top = highest(plan, doc.n, plan.further.most, left)
    if top is None:
        return None
    begun = block._replace(path="", before=doc.n, top=top, left=left, reserved=frozenset(), circular=frozenset())
    next_doc = _begun(plan, begun, plan.further.begin, plan.further.required)
    return next_doc if types(next_doc.declared("a")) else None


def _place(doc: Draft) -> Frame:
    """The last segment of the path of a further block."""
    plan = doc.plan
    taken = (YAML_WORDS, plan.block_words, doc.block.words)
    return OpenWord(doc, WORD, b"`", _placed, limit=plan.max_word, taken=taken, alike=())


def _placed(doc: Draft, word: str) -> Frame:
    constraints = doc.plan.constraints
    doc = doc._replace(block=doc.block.named(word, constraints.path))
    return _head(doc, "", None, writes_signature=constraints.block_path.is_library)


# --- permissions -----------------------------------------------------------------------------------------------------


def _permissions(doc: Draft) -> Frame:
    """``permissions:`` with some of what may be granted, or none; then the nodes."""
    options: list[Option] = [(_NODES, border)]
    if doc.plan.permissions:
        options.append((b"permissions: [", partial(_granted, 0)))
    return choice(doc, options)


def _granted(at: int, doc: Draft) -> Frame:
    return choice(doc, _asks(doc, at, b""))


def _asks(doc: Draft, at: int, before: bytes) -> list[Option]:
    options: list[Option] = []
    for number, permission in enumerate(doc.plan.permissions):
        if number >= at:
            options.append((before + print_text(permission.text).encode(), partial(_asked, number)))
    return options


def _asked(number: int, doc: Draft) -> Frame:
    """Behind a permission. A tool or runtime asked for by name limits what nodes use to such names."""
    permission = doc.plan.permissions[number]
    if permission.kind in ("tool", "runtime"):
        doc = _limited(doc, permission.kind, permission.name)
    return choice(doc, [(b"]\n" + _NODES, border), *_asks(doc, number + 1, b", ")])


def _limited(doc: Draft, kind: str, name: str | None) -> Draft:
    granted = dict(doc.granted)
    names = granted.get(kind, frozenset())
    granted[kind] = names | {name if name is not None else ANY_NAME}
    return doc._replace(granted=granted)


# --- a signature of the model's own ----------------------------------------------------------------------------------


def _inputs(doc: Draft) -> Frame:
    return either([Choice(doc, _arrow()), _parameter(doc, (), outputs=False)])


def _arrow() -> list[Option]:
    """Behind the inputs: no outputs, or some."""
    return [(b') -> ()"\n', _permissions), (b") -> {", lambda doc: _parameter(doc, (), outputs=True))]


def _parameter(doc: Draft, names: tuple[str, ...], *, outputs: bool) -> Frame:
    """The name of an input or output."""
    known = sorted((name for name in doc.begin.origins if doc.plan.is_key(name)), key=lambda n: (len(n), n))
    return OpenWord(
        doc,
        WORD,
        b"?:",
        partial(_named, names, outputs),
        limit=max(doc.plan.max_word, 3),
        known=[name for name in known if outputs and name not in names][:1],
        taken=(names, YAML_WORDS if outputs else ()),
    )


def _named(names: tuple[str, ...], outputs: bool, doc: Draft, name: str) -> Frame:
    """Behind the name of a parameter: whether it is optional, and its type."""
    names = (*names, name)
    after = partial(_typed, names, outputs)
    options: list[Option] = []
    if not outputs:
        begin = doc.begin.plus((name,), BEGIN)
        doc = doc._replace(begin=begin, free=doc.free | {name})
        options = [(b": ", partial(_type, after)), (b"?: ", partial(_type, after))]
    else:
        if _can_require(doc, name):
            options.append((b": ", lambda doc: _type(after, doc._replace(required=doc.required | {name}))))
        options.insert(0, (b"?: ", partial(_type, after)))
    return choice(doc, options)


def _can_require(doc: Draft, name: str) -> bool:
    """Whether an output can be there at every end: it is an input, or some node can write it."""
    return name in doc.begin or (doc.plan.writes and doc.plan.is_key(name))


def _type(then: Then, doc: Draft) -> Frame:
    scalars = sorted(TYPE_NAMES)
    words = tuple(sorted([*(n.encode() for n in scalars), *(f"array<{n}>".encode() for n in scalars)]))
    return Words(doc, words, then)


def _typed(names: tuple[str, ...], outputs: bool, doc: Draft) -> Frame:
    """Behind the type of a parameter: another one, or the end of the list."""
    options: list[Option] = []
    if outputs:
        options.append((b'}"\n', _permissions))
    else:
        options += _arrow()
    if len(names) < _MOST_PARAMETERS:
        options.append((b", ", lambda doc: _parameter(doc, names, outputs=outputs)))
    return Choice(doc, options)
