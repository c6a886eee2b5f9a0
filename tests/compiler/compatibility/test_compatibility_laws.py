"""Laws of comparison, over any document that a text can mean."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl import parse
from agentic_dsl.ast import Contract, Document, Subgraph
from agentic_dsl.compiler.compatibility.change import Comparison
from agentic_dsl.compiler.compatibility.compare import compare
from agentic_dsl.compiler.compatibility.levels import Bump, Level
from agentic_dsl.compiler.library import Library
from agentic_dsl.format import format_document
from agentic_dsl.normalise import normalise
from agentic_dsl.signature import Parameter, Signature
from tests.strategies.profile import law
from tests.strategies.spellings import Spelled, spelled_documents
from tests.strategies.trees import contracts, documents, parameters, subgraphs


def _library(*found: Document) -> Library:
    return Library.of(found)


def _names(comparison: Comparison, *names: str) -> set[str]:
    return {v.name for v in comparison.verdicts for c in v.changes if c.kind.code.name in names}


@law(30)
@given(st.lists(documents(), max_size=3))
def test_nothing_differs_from_itself(found: list[Document]) -> None:
    comparison = compare(_library(*found), _library(*found))
    assert comparison.verdicts == ()
    assert (comparison.needed, comparison.covered) == (Bump.NONE, True)


@law(25)
@given(spelled_documents())
def test_a_spelling_is_no_difference(spelled: Spelled) -> None:
    document = parse(spelled.text)
    if not document.has_errors:
        again = parse(format_document(document))
        comparison = compare(_library(normalise(document)), _library(again))
        assert [change.message for change in comparison.changes] == []


@law(30)
@given(documents(), documents())
def test_what_is_added_one_way_is_removed_the_other_way(one: Document, other: Document) -> None:
    there, back = compare(_library(one), _library(other)), compare(_library(other), _library(one))
    for removed, added in (("entry-removed", "entry-added"), ("internal-removed", "internal-added")):
        assert _names(there, removed) == _names(back, added)
        assert _names(there, added) == _names(back, removed)
    assert {v.name for v in there.verdicts} == {v.name for v in back.verdicts}


@law(30)
@given(documents(), documents())
def test_a_comparison_is_whole_whatever_the_documents_are(one: Document, other: Document) -> None:
    comparison = compare(_library(one), _library(other))
    for verdict in comparison.verdicts:
        assert verdict.changes
        levels = [list(Level).index(change.level) for change in verdict.changes]
        assert levels == sorted(levels)
        for change in verdict.changes:
            assert change.place.document in (one, other)


blocks = st.one_of(contracts(), subgraphs()).filter(lambda block: block.signature is not None)


def _with_input(block: Contract | Subgraph, parameter: Parameter) -> Contract | Subgraph:
    signature = block.signature or Signature()
    return replace(block, signature=replace(signature, inputs=(*signature.inputs, parameter)))


@law(40)
@given(blocks, parameters())
def test_an_optional_input_more_never_breaks(block: Contract | Subgraph, parameter: Parameter) -> None:
    taken = {p.name for p in block.signature.inputs} if block.signature else set()
    optional = replace(parameter, name=f"{parameter.name}_new", required=False)
    if optional.name in taken:
        return
    comparison = compare(
        _library(Document(blocks=(block,))), _library(Document(blocks=(_with_input(block, optional),)))
    )
    assert [change.kind.code.name for change in comparison.changes] == ["optional-input-added"]
    assert comparison.needed is Bump.MINOR


@law(25)
@given(blocks, parameters())
def test_a_required_input_more_always_breaks(block: Contract | Subgraph, parameter: Parameter) -> None:
    taken = {p.name for p in block.signature.inputs} if block.signature else set()
    required = replace(parameter, name=f"{parameter.name}_new", required=True)
    if required.name not in taken:
        new = _with_input(block, required)
        comparison = compare(_library(Document(blocks=(block,))), _library(Document(blocks=(new,))))
        assert comparison.needed is Bump.MAJOR


@law(40)
@given(blocks, parameters(), parameters())
def test_what_one_side_gains_the_other_side_loses(block: Contract | Subgraph, one: Parameter, other: Parameter) -> None:
    """The same two types as an input and as an output: what is wider for one direction is narrower for the other."""
    one, other = (replace(p, name="x_new", required=True, description=None) for p in (one, other))

    def kinds(inputs: tuple[Parameter, ...], outputs: tuple[Parameter, ...]) -> Document:
        return Document(blocks=(replace(block, signature=Signature(inputs, outputs)),))

    def names(old: Document, new: Document) -> set[str]:
        found = compare(_library(old), _library(new)).changes
        return {c.kind.code.name for c in found if c.kind.code.name.endswith(("-narrowed", "-widened"))}

    forth = names(kinds((one,), ()), kinds((other,), ()))
    back = names(kinds((), (other,)), kinds((), (one,)))
    assert {name.replace("input-narrowed", "output-widened") for name in forth if name == "input-narrowed"} == {
        name for name in back if name == "output-widened"
    }
