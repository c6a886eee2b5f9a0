"""The ``[lint]`` table of a project file, and how flags go before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentic_dsl.cli.settings import PROJECT_FILE, Settings
from agentic_dsl.cli.settings import TABLE as PROJECT_TABLE
from agentic_dsl.cli.toml_lines import line_of
from agentic_dsl.compiler.lint.selection import EVERYTHING, Selection, matches, read_selectors
from agentic_dsl.errors import UsageError

TABLE = "lint"

KEYS = ("select", "ignore", "exclude", "per-file-ignores")
"""What the table may hold."""


@dataclass(frozen=True, slots=True)
class LintSettings:
    """What a project says about lint.

    Attributes:
        select: selectors, empty where it says nothing.
        ignore: selectors.
        exclude: patterns of files below named folders that are not linted.
        per_file: patterns of paths with selectors that are ignored there.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    per_file: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def load(cls, settings: Settings) -> LintSettings:
        """Reads the table.

        Raises:
            UsageError: it holds a key or value that cannot be used.
        """
        table, where = settings.tables.get(TABLE, {}), f"[{TABLE}] of {settings.file}"
        if not isinstance(table, dict):
            raise _placed(UsageError(f"{TABLE} in {settings.file} is no table", help=f"write [{TABLE}]"), settings)
        given: dict[str, Any] = {}
        for key, value in table.items():
            name = key.replace("_", "-")
            if name not in KEYS:
                said = f'"{key}" in {where} is no setting of lint'
                raise _placed(UsageError(said, help=f"write one of {', '.join(KEYS)}"), settings, key)
            try:
                given[name] = _value(name, value, where)
            except UsageError as exc:
                raise _placed(exc, settings, key) from exc
        return cls(**{name.removesuffix("-ignores").replace("-", "_"): value for name, value in given.items()})

    def selection(self, select: Sequence[str], ignore: Sequence[str]) -> Selection:
        """The selection in force: ``--select`` goes before the project's, ``--ignore`` is added to it.

        Raises:
            UsageError: a flag names no rule.
        """
        chosen = read_selectors(select, "--select") or self.select or (EVERYTHING,)
        return Selection(chosen, (*self.ignore, *read_selectors(ignore, "--ignore")), self.per_file)

    def excludes(self, path: str) -> bool:
        """Whether a file of a folder is left out."""
        return any(matches(path, pattern) for pattern in self.exclude)


def _value(name: str, value: object, where: str) -> tuple[Any, ...]:
    """What a key of the table says."""
    match name:
        case "select" | "ignore":
            return read_selectors(_texts(name, value, where), f"{name} in {where}")
        case "exclude":
            return tuple(_texts(name, value, where))
        case _:
            return _per_file(value, where)


def _texts(name: str, value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        example = '["old", "lib/*_draft.md"]' if name == "exclude" else '["ADL2", "ADL301"]'
        shown = name if name in KEYS else f'"{name}"'
        raise UsageError(f"{name} in {where} is no list of texts", help=f"write {shown} = {example}")
    return value


def _per_file(value: object, where: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise UsageError(
            f"per-file-ignores in {where} is no table", help='write per-file-ignores = { "lib/old/*.md" = ["ADL8"] }'
        )
    inner = f"per-file-ignores of {where}"
    return tuple((pattern, read_selectors(_texts(pattern, value[pattern], inner), inner)) for pattern in value)


def _placed(error: UsageError, settings: Settings, *keys: str) -> UsageError:
    """The same with the line of the file behind its name, so that editors and terminals lead there."""
    file = Path(settings.file or "")
    above = ("tool", PROJECT_TABLE) if file.name == PROJECT_FILE else ()
    try:
        line = line_of(file.read_text(encoding="utf-8"), *above, TABLE, *keys)
    except (OSError, ValueError):  # it has changed since it was read
        line = None
    if line is None:
        return error
    return UsageError(str(error.message).replace(str(file), f"{file}:{line}"), help=error.help)
