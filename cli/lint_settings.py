"""The ``[lint]`` table of a project file, and how flags go before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentic_dsl.cli.settings import Settings
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
            raise UsageError(f"{TABLE} in {settings.file} is no table", help=f"write a table [{TABLE}]")
        given = {key.replace("_", "-"): value for key, value in table.items()}
        for key in given:
            if key not in KEYS:
                raise UsageError(f'"{key}" in {where} is no setting of lint', help=f"write one of {', '.join(KEYS)}")
        return cls(
            read_selectors(_texts(given, "select", where), f"select in {where}"),
            read_selectors(_texts(given, "ignore", where), f"ignore in {where}"),
            tuple(_texts(given, "exclude", where)),
            _per_file(given.get("per-file-ignores", {}), where),
        )

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


def _texts(table: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{key} in {where} is no list of texts", help=f'write {key} = ["…"]')
    return value


def _per_file(value: object, where: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise UsageError(
            f"per-file-ignores in {where} is no table", help='write per-file-ignores = { "lib/old/*.md" = ["ADL8"] }'
        )
    return tuple(
        (
            pattern,
            read_selectors(_texts(value, pattern, f"per-file-ignores of {where}"), f"per-file-ignores of {where}"),
        )
        for pattern in value
    )
