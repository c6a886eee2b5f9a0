"""Inputs and outputs: what callers give may only grow, what callers get may only shrink (``language.md`` §3).

An input may take more than it took, for callers give what they gave; an output may be less than it was, for callers
read what they read. A change the other way breaks somebody.
"""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl.compiler.compatibility import kinds
from agentic_dsl.compiler.compatibility.change import Change
from agentic_dsl.compiler.compatibility.json_data import value_key
from agentic_dsl.compiler.compatibility.pairing import Pair
from agentic_dsl.compiler.compatibility.schemas import Conjunction, contains
from agentic_dsl.format_values import number
from agentic_dsl.signature import Data, Parameter, Signature


def compare_signatures(pair: Pair) -> Iterator[Change]:
    """What changed in the contract of a block."""
    old, new = pair.old.entry.signature, pair.new.entry.signature
    match old, new:
        case None, None:
            return
        case _, None:
            message = f"{pair.name} states no signature any more"
            yield Change(kinds.SIGNATURE_DROPPED, pair.new.place(), message, "state what callers rely on")
        case None, _:
            yield from _stated(pair, new)
        case _:
            yield from _compare_inputs(pair, old, new)
            yield from _compare_outputs(pair, old, new)


def _stated(pair: Pair, new: Signature) -> Iterator[Change]:
    """A signature where there was none: nobody was told to give what it asks for."""
    for parameter in new.inputs:
        if parameter.required:
            yield _required_added(pair, parameter)
    if not new.required_inputs:
        message = f"{pair.name} states its signature now"
        yield Change(kinds.SIGNATURE_STATED, pair.new.place(new.span), message)


def _required_added(pair: Pair, parameter: Parameter) -> Change:
    return Change(
        kinds.INPUT_REQUIRED,
        pair.new.place(parameter.span),
        f'the new input "{parameter.name}" of {pair.name} must be given',
        f'let callers leave it out: "{parameter.name}?"',
    )


# --- inputs ----------------------------------------------------------------------------------------------------------


def _compare_inputs(pair: Pair, old: Signature, new: Signature) -> Iterator[Change]:
    before, after = _by_name(old.inputs), _by_name(new.inputs)
    for name, parameter in before.items():
        if name not in after:
            message = f'the input "{name}" of {pair.name} is gone'
            yield Change(kinds.INPUT_REMOVED, pair.old.place(parameter.span), message, "keep it and let it do nothing")
        else:
            yield from _compare_input(pair, parameter, after[name])
    for name, parameter in after.items():
        if name in before:
            continue
        if parameter.required:
            yield _required_added(pair, parameter)
        else:
            message = f'{pair.name} has the new input "{name}", which may be left out'
            yield Change(kinds.INPUT_ADDED, pair.new.place(parameter.span), message)
    if [name for name in before if name in after] != [name for name in after if name in before]:
        message = f"the inputs of {pair.name} stand in another order"
        yield Change(kinds.INPUTS_REORDERED, pair.new.place(new.span), message)


def _compare_input(pair: Pair, old: Parameter, new: Parameter) -> Iterator[Change]:
    place, what = pair.new.place(new.span), f'the input "{new.name}" of {pair.name}'
    if new.required and not old.required:
        help_ = f'let callers leave it out: "{new.name}?"'
        yield Change(kinds.INPUT_REQUIRED, place, f"{what} must be given; it could be left out", help_)
    elif old.required and not new.required:
        yield Change(kinds.INPUT_OPTIONAL, place, f"{what} may be left out; it had to be given")
    before, after = values_of(old), values_of(new)
    if not contains(after, before):
        message = f"{what} {_less(old, new, 'take', 'takes')}"
        yield Change(kinds.INPUT_NARROWED, place, message, "go on taking what it took")
    elif not contains(before, after):
        yield Change(kinds.INPUT_WIDENED, place, f"{what} {_more(old, new, 'takes')}")
    if old.required or new.required or value_key(old.default) == value_key(new.default):
        return
    if old.default is None:
        yield Change(kinds.DEFAULT_STATED, place, f"{what} is {_shown(new.default)} where it is left out")
    else:
        now = "nothing that is stated" if new.default is None else _shown(new.default)
        message = f"{what} is {now} where it is left out; it was {_shown(old.default)}"
        yield Change(kinds.DEFAULT_CHANGED, place, message, "keep the value that callers rely on")


# --- outputs ---------------------------------------------------------------------------------------------------------


def _compare_outputs(pair: Pair, old: Signature, new: Signature) -> Iterator[Change]:
    before, after = _by_name(old.outputs), _by_name(new.outputs)
    for name, parameter in before.items():
        if name not in after:
            message = f'the output "{name}" of {pair.name} is gone'
            yield Change(kinds.OUTPUT_REMOVED, pair.old.place(parameter.span), message, "go on writing it")
        else:
            yield from _compare_output(pair, parameter, after[name])
    for name, parameter in after.items():
        if name not in before:
            message = f'{pair.name} has the new output "{name}"'
            yield Change(kinds.OUTPUT_ADDED, pair.new.place(parameter.span), message)


def _compare_output(pair: Pair, old: Parameter, new: Parameter) -> Iterator[Change]:
    place, what = pair.new.place(new.span), f'the output "{new.name}" of {pair.name}'
    if old.required and not new.required:
        message = f"{what} may be missing; it was always written"
        yield Change(kinds.OUTPUT_OPTIONAL, place, message, "write it on every way to an end")
    elif new.required and not old.required:
        yield Change(kinds.OUTPUT_REQUIRED, place, f"{what} is always written; it could be missing")
    before, after = values_of(old), values_of(new)
    if not contains(before, after):
        yield Change(kinds.OUTPUT_WIDENED, place, f"{what} {_more(old, new, 'may be')}", "keep to what it was")
    elif not contains(after, before):
        yield Change(kinds.OUTPUT_NARROWED, place, f"{what} {_less(old, new, 'be', 'is')}")


# --- values and words ------------------------------------------------------------------------------------------------


def values_of(parameter: Parameter) -> Conjunction:
    """The values of a parameter, as JSON Schemas that hold together: its type, its enum, its schema."""
    schemas: list[object] = [parameter.type.json_schema()]
    if parameter.enum:
        schemas.append({"enum": parameter.enum})
    if parameter.schema is not None:
        schemas.append(parameter.schema)
    return tuple(schemas)


def _by_name(parameters: tuple[Parameter, ...]) -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in parameters}


def _less(old: Parameter, new: Parameter, may: str, does: str) -> str:
    before, after = _type_text(old), _type_text(new)
    if before == after:
        return f"does not surely {may} every value of its old schema"
    return f"{does} {after}; it was {before}"


def _more(old: Parameter, new: Parameter, does: str) -> str:
    before, after = _type_text(old), _type_text(new)
    if before == after:
        return f"{does} values that its old schema did not allow"
    return f"{does} {after}; it was {before}"


def _type_text(parameter: Parameter) -> str:
    """What people read of a type: the values where they are few."""
    if not parameter.enum:
        return str(parameter.type)
    return " or ".join(map(_shown, parameter.enum))


def _shown(value: Data) -> str:
    """A value as people write it."""
    match value:
        case int() | float() if not isinstance(value, bool):
            return number(value)
        case _:
            return value_key(value)
