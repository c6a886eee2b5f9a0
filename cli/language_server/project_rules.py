"""What the project around a document says about it: which rules, how strict, which libraries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from agentic_dsl.cli.lint_settings import LintSettings
from agentic_dsl.cli.options import check_mode
from agentic_dsl.cli.settings import LIB, OWN_FILE, PROJECT_FILE, Settings
from agentic_dsl.compiler.checks.context import CheckMode
from agentic_dsl.compiler.lint.selection import EVERYTHING, Selection, matches
from agentic_dsl.errors import UsageError

FILES = (OWN_FILE, PROJECT_FILE)
"""The files in which projects say it."""


@dataclass(frozen=True)
class ProjectRules:
    """The settings for the documents of one folder.

    Attributes:
        root: the folder of the project file; None where there is none, or it cannot be used.
        libraries: files and folders of library documents.
    """

    root: Path | None = None
    lint: LintSettings = field(default_factory=LintSettings)
    mode: CheckMode = "strict"
    libraries: tuple[Path, ...] = ()

    def selection(self, name: str) -> Selection:
        """The rules that are asked for in one document."""
        chosen = self.lint.selection((), ())
        here = tuple(("*", prefixes) for pattern, prefixes in chosen.per_file if matches(self._shown(name), pattern))
        return replace(chosen, per_file=here)

    def excludes(self, name: str) -> bool:
        """Whether nothing is said about a document."""
        return self.lint.excludes(self._shown(name))

    def _shown(self, name: str) -> str:
        """The path by which the project knows a file."""
        path = Path(name)
        is_inside = self.root is not None and path.is_relative_to(self.root)
        return path.relative_to(self.root).as_posix() if is_inside and self.root is not None else name


def project_folder(folder: Path) -> Path:
    """The nearest folder above (or this one) that may hold settings; the outermost one where none does."""
    above = (folder, *folder.parents)
    return next((path for path in above if any((path / name).is_file() for name in FILES)), above[-1])


def load_rules(folder: Path, report: Callable[[UsageError], None]) -> ProjectRules:
    """The settings for a folder; where they cannot be used, the defaults.

    Args:
        folder: of a document.
        report: is told what is wrong with the project file or the environment.
    """
    try:
        settings = Settings.load(folder)
        return ProjectRules(
            None if settings.file is None else Path(settings.file).parent,
            LintSettings.load(settings),
            check_mode(settings, None),
            settings.value(LIB),
        )
    except UsageError as exc:
        report(exc)
        return ProjectRules(lint=LintSettings((EVERYTHING,)))
