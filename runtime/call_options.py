"""Options from outside, checked against the arguments of what they are for.

What a class or function takes is written down once, in its signature; configuration files and variables are held to it.
"""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from agentic_dsl.errors import UsageError

SECRET = "api_key"
"""The option whose value no message shows."""

_SWITCHES = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def checked_options(target: Callable[..., Any], options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Options as the arguments of a call.

    Args:
        target: a class or function whose arguments have types.
        options: names and values as a file or the environment gave them; texts stand for values of any type.
        where: the table that they are in, for messages.

    Raises:
        UsageError: there is no such option, or its value has another type.
    """
    known = settable(target)
    checked: dict[str, Any] = {}
    for written, value in options.items():
        name = written.replace("-", "_")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                f"{where}.{written} is no setting",
                help=f"write {near[0]}" if near else f"there are: {', '.join(known)}",
            )
        checked[name] = _value(known[name], value, where, name)
    return checked


def settable(target: Callable[..., Any]) -> dict[str, TypeAdapter[Any]]:
    """The arguments that can be written down in a file: name → what reads a value."""
    function = target.__init__ if inspect.isclass(target) else target
    hints = get_type_hints(function)
    adapters: dict[str, TypeAdapter[Any]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self" or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        writable = [option for option in _members(hints.get(name, Any)) if _can_be_written(option)]
        if any(option is not NoneType for option in writable):
            either: Any = Union[tuple(writable)]  # noqa: UP007  # the members are known at run time only
            # Else every text would be a text: "false" too, which is the only way in which a variable can say it.
            both = bool in writable and str in writable
            adapters[name] = TypeAdapter(Annotated[either, BeforeValidator(_switched)] if both else either)
    return adapters


def _switched(value: object) -> object:
    """True or False where a text says one of them, else the value."""
    return _SWITCHES.get(value.strip().lower(), value) if isinstance(value, str) else value


def _members(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the type alone."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _can_be_written(hint: Any) -> bool:
    """Whether a file can hold such a value; objects are what only programs have."""
    try:
        TypeAdapter(hint)
    except PydanticSchemaGenerationError:
        return False
    return True


def _value(adapter: TypeAdapter[Any], value: Any, where: str, name: str) -> Any:
    """The value, or what its text says: as it is, as JSON, as a list."""
    readings = [value]
    if isinstance(value, str):
        readings += [json.loads(value)] if _is_json(value) else []
        readings.append([part.strip() for part in value.split(",") if part.strip()])
    errors: list[ValidationError] = []
    for reading in readings:
        try:
            return adapter.validate_python(reading)
        except ValidationError as exc:
            errors.append(exc)
    reason = errors[0].errors(include_url=False)[0]["msg"]
    verdict = "has another type" if name == SECRET else _refused(value)
    raise UsageError(f"{where}.{name} {verdict}: {reason}", help=f"correct {where}.{name}")


def _refused(value: object) -> str:
    try:
        return f"cannot be {json.dumps(value, default=str)}"
    except (TypeError, ValueError, RecursionError):  # keys that are no texts, tables in themselves, endless numbers
        return "has another type"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
