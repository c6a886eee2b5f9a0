"""``agentic-dsl schema``: JSON Schemas of what the tool prints and reads."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from agentic_dsl.cli.options import OutOption, QuietOption
from agentic_dsl.cli.output import Output


class Subject(StrEnum):
    """What there is a schema of."""

    AST = "ast"
    CONSTRAINTS = "constraints"


def schema(
    subject: Annotated[
        Subject | None, typer.Argument(metavar="[ast|constraints]", help="Print only this schema.")
    ] = None,
    output: OutOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print the JSON Schemas of AST and Constraints.

    The AST is what `generate --format json` prints as "subgraph".
    """
    import json

    schemas = {choice: _SCHEMAS[choice] for choice in ([subject] if subject else list(Subject))}
    made: dict[str, Any] = {choice.value: make() for choice, make in schemas.items()}
    record = made[subject.value] if subject else made
    Output(json=True, quiet=quiet).save(output, json.dumps(record, ensure_ascii=False, indent=2) + "\n")


def _ast() -> dict[str, Any]:
    from agentic_dsl.compiler.json_schema import subgraph_schema

    return subgraph_schema()


def _constraints() -> dict[str, Any]:
    from agentic_dsl.compiler.json_schema import constraints_schema

    return constraints_schema()


_SCHEMAS = {Subject.AST: _ast, Subject.CONSTRAINTS: _constraints}
