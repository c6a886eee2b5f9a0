"""Documents as trees: any that a text can mean, valid or not. Derived from the node table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_never

from hypothesis import strategies as st

from agentic_dsl.ast import (
    BUDGET_KEYS,
    MERGE_STRATEGIES,
    MODES,
    RESOURCE_FIELDS,
    Contract,
    Document,
    ExecutionBudget,
    Meta,
    Requirement,
    ResourceEntry,
    Resources,
    Subgraph,
)
from agentic_dsl.compiler.parse.reference import parse_reference
from agentic_dsl.node_table import (
    NODE_TABLE,
    AnyNode,
    Assert,
    End,
    FieldKind,
    FieldSpec,
    Fork,
    Join,
    NodeSpec,
    UnknownNode,
    WaitFor,
)
from agentic_dsl.paths import Path, Reference, ReferenceKind, Version, VersionRange
from agentic_dsl.permission import PERMISSION_KINDS, Permission
from agentic_dsl.signature import TYPE_NAMES, FieldType, Parameter, Signature, Stability
from tests.strategies.values import data, integers, mappings, paths, scalars, segments, texts, words

IDS = ("a", "b", "c-1", "no", "9", "__x", "start")
"""Ids that nodes and references share, so that references often hit."""

KEYS = frozenset(key for spec in NODE_TABLE.values() for field in spec.fields for key in field.path) | {
    "type",
    "dev_comment",
    "graph_type",
    "nodes",
    "entry",
    "requires",
    "version",
    "stability",
}
"""Keys that mean something somewhere; unknown keys are others."""

ids = st.one_of(st.sampled_from(IDS), segments)
not_empty = texts.filter(bool)
unknown_keys = st.dictionaries(texts.filter(lambda key: key not in KEYS and key not in NODE_TABLE), data, max_size=2)

versions = st.lists(st.integers(0, 20), min_size=1, max_size=3).map(lambda parts: Version(tuple(parts)))


@st.composite
def references(draw: st.DrawFn) -> Reference:
    """A reference of any form, as the parser makes them."""
    form = draw(st.integers(0, 5))
    if form <= 1:
        text = draw(ids)
    elif form == 2:
        text = f"/self/{draw(ids)}"
    elif form == 3:
        text = f"/main/p/{draw(ids)}"
    elif form == 4:
        text = f"/lib/x/{draw(words)}@v{draw(versions)}?{draw(words)}={draw(words)}"
    else:
        text = draw(st.sampled_from(["{{ where }}", "/end_soft", "/__system__/noop", "/main/p"]))
    return parse_reference(text)


types = st.recursive(
    st.sampled_from(TYPE_NAMES).map(FieldType), lambda item: item.map(lambda it: FieldType("array", it)), max_leaves=3
)


@st.composite
def parameters(draw: st.DrawFn) -> Parameter:
    """A parameter with any of its facts."""
    return Parameter(
        name=draw(st.one_of(words, words, not_empty)),
        type=draw(types),
        required=draw(st.booleans()),
        description=draw(st.one_of(st.none(), st.none(), texts)),
        default=draw(st.one_of(st.none(), st.none(), data)),
        enum=draw(st.one_of(st.just(()), st.just(()), st.lists(scalars, min_size=1, max_size=3).map(tuple))),
        schema=draw(st.one_of(st.none(), st.none(), mappings)),
    )


signatures = st.builds(
    Signature, st.lists(parameters(), max_size=3).map(tuple), st.lists(parameters(), max_size=3).map(tuple)
)

_OPTION_KEYS = texts.filter(lambda key: bool(key.strip()) and key not in PERMISSION_KINDS)

permissions = st.builds(
    Permission,
    st.sampled_from(PERMISSION_KINDS),
    st.one_of(st.none(), words, texts.filter(lambda t: bool(t.strip()) and "→" not in t and "->" not in t)),
    st.dictionaries(st.one_of(words, _OPTION_KEYS), data, max_size=2),
)


def _values(spec: FieldSpec) -> st.SearchStrategy[Any]:
    if spec.choices:
        return st.dictionaries(texts, st.sampled_from(spec.choices), max_size=3)
    if spec.template and not spec.writes:
        return st.one_of(mappings, st.just("{{ everything }}"))
    return mappings


_PARAMETER_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "number": st.one_of(integers, st.floats(allow_nan=False)),
    "integer": integers,
    "string": texts,
}


def field_values(spec: FieldSpec) -> st.SearchStrategy[Any]:
    """Values of one field that are its own kind's."""
    match spec.kind:
        case FieldKind.ID:
            return ids
        case FieldKind.NAME | FieldKind.TEXT:
            return not_empty if spec.required else st.one_of(st.none(), texts)
        case FieldKind.INTEGER:
            return integers
        case FieldKind.CHOICE:
            chosen = st.sampled_from(spec.choices)
            return chosen if spec.required or spec.default is not None else st.one_of(st.none(), chosen)
        case FieldKind.KEYS:
            return st.lists(texts, max_size=3).map(tuple)
        case FieldKind.VALUES:
            return _values(spec)
        case FieldKind.PARAMETERS:
            return st.fixed_dictionaries(
                {}, optional={name: _PARAMETER_VALUES[kind] for name, kind in spec.parameters.items()}
            )
        case FieldKind.DATA:
            return data
        case FieldKind.REFERENCE:
            return st.one_of(st.none(), references())
        case FieldKind.REFERENCES:
            return st.lists(references(), max_size=3).map(tuple)
        case FieldKind.WAIT:
            some = st.lists(references(), min_size=1, max_size=2).map(tuple)
            return st.one_of(st.none(), st.builds(WaitFor, some, st.sampled_from(("all_of", "any_of"))))
        case FieldKind.PERMISSIONS:
            return st.lists(permissions, max_size=2).map(tuple)
        case FieldKind.SIGNATURE:
            return st.one_of(st.none(), signatures)
        case FieldKind.ARCHIVE:
            return st.one_of(st.none(), paths.map(str))
        case _:
            assert_never(spec.kind)


_OWN: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    # A condition without a template becomes one when it is read.
    (Assert.TYPE, "condition"): texts.map(lambda text: f"{{{{ x }}}}{text}"),
    # The parser drops it, with a finding.
    (Fork.TYPE, "next"): st.just(()),
    (End.TYPE, "metadata"): mappings.map(lambda notes: {k: v for k, v in notes.items() if k != "termination_mode"}),
    # Means the same as the join's own; `test_normalise` looks at it.
    (Join.TYPE, "wait_for"): st.none(),
    (Join.TYPE, "sources"): st.one_of(
        st.lists(references(), max_size=3).map(tuple), st.just((Reference("@all", ReferenceKind.ALL),))
    ),
}


@st.composite
def nodes(draw: st.DrawFn, spec: NodeSpec) -> AnyNode:
    """A node of one type: common fields seldom, own fields always."""
    fields: dict[str, Any] = {}
    for field in spec.fields:
        if field.required or draw(st.integers(0, 2)) == 0:
            own = _OWN.get((spec.type, field.name))
            fields[field.name] = draw(field_values(field) if own is None else own)
    if draw(st.integers(0, 5)) == 0:
        fields["extra"] = draw(unknown_keys)
    return spec.row(**fields)  # type: ignore[return-value]  # a row is a class of the union


@st.composite
def unknown_nodes(draw: st.DrawFn) -> UnknownNode:
    """A node of a type that the language lacks."""
    return UnknownNode(
        id=draw(ids),
        type_name=draw(st.sampled_from(["dream", "tool call", "on", "9"])),
        extra=draw(unknown_keys),
        next=draw(st.lists(references(), max_size=2).map(tuple)),
    )


any_nodes = st.one_of(*map(nodes, NODE_TABLE.values()), unknown_nodes())

_heads: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
    "signature": lambda: st.one_of(st.none(), signatures),
    "permissions": lambda: st.lists(permissions, max_size=2).map(tuple),
    "version": lambda: st.one_of(st.none(), versions),
    "stability": lambda: st.one_of(st.none(), st.sampled_from(Stability)),
}

requirements = st.builds(
    Requirement,
    st.lists(segments, min_size=1, max_size=2).map(lambda parts: Path(("lib", *parts))),
    st.one_of(st.none(), st.builds(VersionRange, st.sampled_from(("", "^", "~")), versions)),
)

prose = st.one_of(st.just(""), st.sampled_from(["# Title\n\nText.", "  indented\n\n> quote", "`code` on\ntwo lines"]))
notes = st.one_of(st.just(""), st.just("(draft)"), st.just("v1.0 and more"))


@st.composite
def subgraphs(draw: st.DrawFn, node: st.SearchStrategy[AnyNode] = any_nodes) -> Subgraph:
    """A subgraph of any nodes."""
    return Subgraph(
        path=draw(st.one_of(st.just(Path(("main", "p"))), paths)),
        nodes=tuple(draw(st.lists(node, max_size=5))),
        requires=tuple(draw(st.lists(requirements, max_size=2))),
        entry=draw(st.one_of(st.none(), st.sampled_from(IDS))),
        extra=draw(st.one_of(st.just({}), unknown_keys)),
        prose=draw(prose),
        heading_note=draw(notes),
        **{name: draw(make()) for name, make in _heads.items()},
    )


@st.composite
def single_nodes(draw: st.DrawFn) -> Subgraph:
    """A block that is one node."""
    path = draw(paths)
    fields = {name: draw(make()) for name, make in _heads.items() if name not in ("signature", "permissions")}
    spec = draw(st.sampled_from([s for s in NODE_TABLE.values() if s.type != "resource_declare"]))
    node = draw(nodes(spec))
    kept: dict[str, Any] = {f.name: getattr(node, f.name) for f in spec.fields if f.name not in ("id", "signature")}
    del kept["permissions"]  # of a block that is a node, signature and permissions are the block's
    return Subgraph(path=path, nodes=(spec.row(id=path.name, **kept),), single=True, **fields)  # type: ignore[arg-type]


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """A library entry without nodes."""
    path = Path(("lib", *draw(st.lists(segments, min_size=1, max_size=2))))
    fields = {name: draw(make()) for name, make in _heads.items()} | {"signature": draw(signatures)}
    return Contract(path=path, prose=draw(prose), **fields)


@st.composite
def metas(draw: st.DrawFn) -> Meta:
    """``/__meta__``."""
    limits = draw(st.dictionaries(st.sampled_from(BUDGET_KEYS), st.integers(-1, 10**6)))
    return Meta(
        path=Path(("__meta__",)),
        version=draw(st.one_of(st.none(), texts)),
        mode=draw(st.sampled_from(MODES)),
        entry_point=draw(st.one_of(st.none(), paths.map(lambda path: parse_reference(str(path))))),
        execution_budget=ExecutionBudget(**limits),
        context_merge_strategy=draw(st.one_of(st.none(), st.sampled_from(MERGE_STRATEGIES))),
    )


@st.composite
def resource_entries(draw: st.DrawFn) -> ResourceEntry:
    """One resource with options of its type."""
    kind = draw(st.sampled_from(sorted(RESOURCE_FIELDS)))
    keys = [key for key in RESOURCE_FIELDS[kind] if key != "name"]
    name = draw(not_empty) if "name" in RESOURCE_FIELDS[kind] else None
    options = draw(st.dictionaries(st.sampled_from(keys), data)) if keys else {}
    return ResourceEntry(kind, name, options)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Blocks of every kind but unreadable ones."""
    blocks: list[Any] = []
    if draw(st.booleans()):
        blocks.append(draw(metas()))
    if draw(st.integers(0, 3)) == 0:
        entries = tuple(draw(st.lists(resource_entries(), max_size=3)))
        blocks.append(Resources(path=Path(("__meta__", "resources")), entries=entries))
    blocks += draw(st.lists(st.one_of(subgraphs(), single_nodes(), contracts()), max_size=2))
    return Document(blocks=tuple(blocks), epilogue=draw(prose) if blocks else "")
