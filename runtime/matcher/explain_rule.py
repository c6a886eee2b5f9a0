"""A rule that is not held: what it says, what `check` calls it, and the constraints on which it depends."""

from __future__ import annotations

from dataclasses import dataclass

from agentic_dsl import codes
from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.diagnostics import Code
from agentic_dsl.runtime.matcher.explain_place import Place
from agentic_dsl.runtime.matcher.plan import END_ID, WORD


@dataclass(frozen=True, slots=True)
class Rule:
    """What is not held.

    Attributes:
        section: the section of the language reference that says so, such as ``5.2``.
        text: the rule in one sentence.
        code: what `check` finds in a document like this.
        fields: the fields of `Constraints` on which it depends here.
        layout: whether only the layout is wrong.
    """

    section: str
    text: str
    code: Code
    fields: tuple[str, ...] = ()
    layout: bool = False


LAYOUT = Rule("6", "generated text has the canonical layout", codes.NOT_GENERATED_FORM, layout=True)
COUNT = Rule("5.6", "there are at most max_nodes nodes, named ones included", codes.TOO_MANY_NODES, ("max_nodes",))
FEW = Rule("5.6", "there are at least min_nodes nodes", codes.TOO_FEW_NODES, ("min_nodes",))
OUTPUTS = Rule(
    "5.9",
    "what is required is available at every end",
    codes.OUTPUT_NOT_WRITTEN,
    ("context.required_outputs", "signature"),
)
LONG_TEXT = Rule("6", "texts are short", codes.TEXT_TOO_LONG, ("max_text_chars",))
LONG_WORD = Rule("6", "ids and keys are short", codes.TEXT_TOO_LONG, ("max_identifier_chars",))
_ALPHABET = "ids and keys are words of a-z, 0-9 and _ that begin with a letter and that YAML takes for no value"


def made_up_word(place: Place) -> Rule:
    """Why a word cannot be made up."""
    plan, word = place.doc.plan, place.word
    form = Rule("6", _ALPHABET, codes.NOT_GENERATED_FORM)
    if not WORD.fullmatch(word) or word in YAML_WORDS:
        return form
    if len(word) > plan.max_word:
        return LONG_WORD
    if word in place.doc.block.reserved:
        return Rule("5.1", "no node stands in the place of a target", codes.DUPLICATE_PATH, ("targets",))
    if word == END_ID:
        return Rule("6", f'the id "{END_ID}" is an end node\'s', codes.NOT_GENERATED_FORM, ("allowed_node_types",))
    return form


def arguments_of(place: Place) -> list[str]:
    """The arguments of the tool that the node calls, where they are declared."""
    tool = place.doc.node.tool
    return [parameter.name for parameter in (tool.parameters or ())] if tool is not None else []


__all__ = [
    "COUNT",
    "FEW",
    "LAYOUT",
    "LONG_TEXT",
    "LONG_WORD",
    "OUTPUTS",
    "Rule",
    "arguments_of",
    "made_up_word",
]
