"""What ``agentic-dsl lint`` does: read, look or remember, mend, show."""

from __future__ import annotations

import difflib
import gc
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentic_dsl.cli import findings
from agentic_dsl.cli.inputs import STDIN, document_files, read_bytes, read_json
from agentic_dsl.cli.lint import LintFormat
from agentic_dsl.cli.lint_settings import LintSettings
from agentic_dsl.cli.output import FINDINGS, FINE, Output, plural, write_file
from agentic_dsl.cli.settings import Settings
from agentic_dsl.compiler.library_names import library_folders
from agentic_dsl.compiler.lint import cache
from agentic_dsl.compiler.lint.baseline import read_baseline, without_accepted, write_baseline
from agentic_dsl.compiler.lint.finding import FileReport, Linted
from agentic_dsl.compiler.lint.formats.concise import concise
from agentic_dsl.compiler.lint.formats.records import json_record
from agentic_dsl.compiler.lint.report import judged
from agentic_dsl.compiler.lint.selection import Selection
from agentic_dsl.compiler.sources import source_of
from agentic_dsl.diagnostics import Severity
from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.folders import cache_folder
from agentic_dsl.span import MAX_BYTES

if TYPE_CHECKING:
    from agentic_dsl.compiler.checks.context import CheckMode


@dataclass(frozen=True, slots=True, kw_only=True)
class LintOptions:
    """One command line; the attributes are its options.

    Attributes:
        unsafe: whether fixes that need a second look are made too.
        cached: whether results are remembered.
    """

    paths: tuple[str, ...]
    libraries: tuple[Path, ...]
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    mode: CheckMode
    format: LintFormat
    fix: bool
    unsafe: bool
    diff: bool
    statistics: bool
    baseline: str | None
    update_baseline: bool
    cached: bool


def run_lint(options: LintOptions, settings: Settings, output: Output) -> int:
    """Does what a command line asks for, and returns the exit code.

    Raises:
        UsageError: a file, setting or option cannot be used.
    """
    project = LintSettings.load(settings)
    selection = project.selection(options.select, options.ignore)
    files, beside = _read(options, project)
    changing = options.fix or options.diff
    if changing and STDIN in files and len(files) > 1:
        raise UsageError("standard input cannot be fixed together with files", help="fix it alone")
    if changing:
        linted = _fixed(files, beside, selection, options, output)
    else:
        linted = _linted(files, beside, options.mode, cached=options.cached)
    reports = [FileReport(name, found.source, judged(found, selection)) for name, found in linted.items()]
    if options.baseline is not None:
        reports = _against(options.baseline, reports, update=options.update_baseline, output=output)
    if not (options.diff or (options.fix and STDIN in files)):
        _show(reports, options, output)
    return _conclude(reports, output, is_diff=options.diff)


def _read(options: LintOptions, project: LintSettings) -> tuple[dict[str, bytes], frozenset[str]]:
    """What every file holds, and which of the files are libraries only; a file that is named twice is read once."""
    named = set(options.paths)
    names = [name for name in document_files(options.paths) if name in named or not project.excludes(name)]
    folders: dict[str, str] = {}
    identities = {name: _identity(name, folders) for name in names}
    subjects = {identities[name]: name for name in reversed(names)}
    libraries = document_files(map(str, library_folders(options.libraries)))
    beside = {_identity(name, folders): name for name in reversed(libraries)}
    only = frozenset(name for identity, name in beside.items() if identity not in subjects)
    listed = [name for name in names if subjects[identities[name]] == name]
    return {name: read_bytes(name, MAX_BYTES + 1) for name in (*listed, *sorted(only))}, only


def _identity(name: str, folders: dict[str, str]) -> str:
    """What is the same for two names of one file; each of the ``folders`` is resolved once."""
    if name == STDIN:
        return name
    if os.path.islink(name):
        return os.path.realpath(name)
    folder, base = os.path.split(name)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], base)


def _linted(
    files: Mapping[str, bytes], beside: frozenset[str], mode: CheckMode, *, cached: bool
) -> Mapping[str, Linted]:
    """Every finding of every file, from the cache where nothing has changed."""
    folder = cache_folder() / "lint"
    digest = cache.set_digest(files, beside, mode) if cached else ""
    if cached:
        sources = {name: source_of(raw, name) for name, raw in files.items() if name not in beside}
        if (known := cache.load(folder, digest, sources)) is not None:
            return known
    from agentic_dsl.compiler.lint.project import Project
    from agentic_dsl.compiler.parse.collector import collector_paused

    gc.unfreeze()  # with --watch: what the run before has left
    with collector_paused(sum(map(len, files.values()))):
        found = Project(files, beside, mode=mode).lint()
        gc.freeze()  # what was found lives as long as the run: no pass of the collector has to walk it
    if cached:
        cache.store(folder, digest, found)
    return found


def _fixed(
    files: Mapping[str, bytes], beside: frozenset[str], selection: Selection, options: LintOptions, output: Output
) -> Mapping[str, Linted]:
    """Every file with its fixes; written, or shown as a difference."""
    from agentic_dsl.compiler.lint.project import Project

    project = Project(files, beside, mode=options.mode)
    results: dict[str, Linted] = {}
    total = 0
    for name, document in project.documents.items():
        results[name], applied = project.fix(name, selection, unsafe=options.unsafe)
        old, new = document.source.text, results[name].source.text
        total += applied
        if options.diff:
            output.lines(_diff(name, old, new))
        elif name == STDIN:
            output.data(new)
        elif old != new:
            write_file(Path(name), new)
    output.note(f"{plural(total, 'finding')} {'would be mended' if options.diff else 'mended'}")
    return results


def _diff(name: str, old: str, new: str) -> list[list[tuple[str, str]]]:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, f"{name} (mended)", lineterm="")
    return [[(line, "bold" if line.startswith(("+++", "---")) else styles.get(line[:1], ""))] for line in lines]


def _against(name: str, reports: list[FileReport], *, update: bool, output: Output) -> list[FileReport]:
    """The findings that a baseline does not accept; with ``update`` it accepts them all from now on."""
    if update:
        write_file(Path(name), write_baseline(reports))
        output.note(f"wrote {name}")
    accepted = read_baseline(read_json(name, "the baseline"), name)
    return without_accepted(reports, accepted)


def _show(reports: Sequence[FileReport], options: LintOptions, output: Output) -> None:
    """The findings in the format that was asked for, or how many of each there are."""
    if options.statistics:
        counts: dict[tuple[str, str], int] = {}
        for finding in (finding for report in reports for finding in report.findings):
            key = (finding.diagnostic.code, finding.diagnostic.kind.name)
            counts[key] = counts.get(key, 0) + 1
        rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
        if output.json:
            output.record([{"code": code, "rule": name, "count": count} for (code, name), count in rows])
        else:
            output.data("".join(f"{count:6,}  {code}  {name}\n" for (code, name), count in rows))
        return
    match options.format:
        case LintFormat.TEXT:
            for report in reports:
                output.lines(findings.show((f.diagnostic for f in report.findings), report.source))
        case LintFormat.JSON:
            output.record(json_record(reports))
        case _:
            output.data(_program_text(reports, options.format))


def _program_text(reports: Sequence[FileReport], format: LintFormat) -> str:
    """The formats that other programs read; each is imported where it is asked for."""
    match format:
        case LintFormat.SARIF:
            from importlib.metadata import PackageNotFoundError, version

            from agentic_dsl.compiler.lint.formats.sarif import sarif

            try:
                return sarif(reports, version=version("agentic-dsl"))
            except PackageNotFoundError:  # an in-tree run without an install
                return sarif(reports, version=None)
        case LintFormat.GITHUB:
            from agentic_dsl.compiler.lint.formats.github import github

            return github(reports)
        case LintFormat.GITLAB:
            from agentic_dsl.compiler.lint.formats.gitlab import gitlab

            return gitlab(reports)
        case LintFormat.JUNIT:
            from agentic_dsl.compiler.lint.formats.junit import junit

            return junit(reports)
        case _:
            return concise(reports)


def _conclude(reports: Sequence[FileReport], output: Output, *, is_diff: bool) -> int:
    """Sums up, for people, and gives the exit code: infos are no reason to fail."""
    everything = [finding for report in reports for finding in report.findings]
    if not is_diff and not output.json:
        mendable = sum(finding.fix is not None for finding in everything)
        more = f", {mendable} can be mended with --fix or --unsafe-fixes" if mendable else ""
        output.note(findings.summary(len(reports), (finding.diagnostic for finding in everything)) + more)
    serious = any(finding.diagnostic.severity is not Severity.INFO for finding in everything)
    return FINDINGS if serious else FINE
