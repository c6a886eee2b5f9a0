"""Groups of options that several commands take as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

Command = Callable[..., None]


def takes(**groups: type[Any]) -> Callable[[Command], Command]:
    """Gives a command groups of options, each as one value.

    typer reads the parameters of a function; this writes the fields of each group into that list, so that no command
    repeats them.

    Args:
        groups: parameter of the command → frozen dataclass whose fields are annotated as typer's options.
    """

    def decorate(command: Command) -> Command:
        hints = get_type_hints(command, include_extras=True)
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            parameter.replace(kind=keyword, annotation=hints[name])
            for name, parameter in inspect.signature(command).parameters.items()
            if name not in groups
        ]
        for group in groups.values():
            own = get_type_hints(group, include_extras=True)
            parameters += [
                inspect.Parameter(
                    field.name,
                    keyword,
                    default=None if field.default is MISSING else field.default,
                    annotation=own[field.name],
                )
                for field in fields(group)
            ]

        def run(**given: Any) -> None:
            made = {
                name: group(**{field.name: given.pop(field.name) for field in fields(group)})
                for name, group in groups.items()
            }
            command(**made, **given)

        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what inspect.signature reads
        return run

    return decorate
