"""``agentic-dsl skills``: packaged instructions: found, checked, begun."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_dsl.cli import findings
from agentic_dsl.cli.options import FormatOption, QuietOption, output_of
from agentic_dsl.cli.output import FINDINGS, Output, plural
from agentic_dsl.cli.settings import Settings
from agentic_dsl.cli.skill_findings import note_findings
from agentic_dsl.cli.table import table
from agentic_dsl.errors import UsageError

if TYPE_CHECKING:
    from agentic_dsl.skills.registry import SkillFinding, SkillRegistry
    from agentic_dsl.skills.skill import Skill

skills_app = typer.Typer(no_args_is_help=True, help="List, show, check and begin skills: instructions for a model.")
"""Other files add commands to this."""

RootOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="Folder of skills; repeatable, the first one wins. Without it: ./skills, the user's, the package's.",
    ),
]


@skills_app.command("list")
def list_(root: RootOption = None, format: FormatOption = None, quiet: QuietOption = False) -> None:
    """List the skills that can be used."""
    output = output_of(Settings.load(), format, quiet)
    registry = registry_of(root)
    if output.json:
        output.record({"roots": [str(root) for root in registry.roots], "skills": [_row(s) for s in registry.skills]})
        return
    titles = ("name", "version", "tokens", "files", "description")
    rows = [
        (
            skill.name,
            str(skill.version or "–"),
            f"{skill.tokens:,}",
            f"{len(skill.resources):,}",
            skill.description,
        )
        for skill in registry.skills
    ]
    if rows:
        output.lines(table(titles, rows, right=frozenset({"tokens", "files"})))
    output.note(f"{plural(len(rows), 'skill')} in {plural(len(registry.roots), 'root')}")
    note_findings(registry, output)


@skills_app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a skill.")],
    resource: Annotated[
        str | None, typer.Option("--resource", metavar="PATH", help="Print this file of the skill instead.")
    ] = None,
    root: RootOption = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print a skill: what it is, what it requires, its files, its text."""
    output = output_of(Settings.load(), format, quiet)
    skill = registry_of(root).closure([name])[-1]
    if resource is not None:
        _print_resource(skill, resource, output)
    elif output.json:
        output.record(_record(skill))
    else:
        width = max(map(len, _facts(skill)))
        for title, text in _facts(skill).items():
            output.lines([[(f"{title:<{width}}  ", "bold"), (findings.printable(" ".join(text.split())), "")]])
        output.data("\n")
        output.lines([(findings.printable(line), "")] for line in skill.body.splitlines())


@skills_app.command("validate")
def validate(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[FOLDERS]", help="Skills or folders of them; all roots by default.")
    ] = None,
    root: RootOption = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print every finding about skills.

    Each with its place and a remedy. Skills of the roots may be required by those that are named.

    Exit code 0: no errors. 1: errors. 2: a folder cannot be read.
    """
    output = output_of(Settings.load(), format, quiet)
    registry = registry_of([*(folders or ()), *_roots(root)])
    checked = _checked(registry, folders)
    records, everything = [], [finding.diagnostic for _, found in checked for finding in found]
    for path, found in checked:
        ok = not any(finding.diagnostic.is_error for finding in found)
        records.append({"path": path, "ok": ok, "diagnostics": [f.diagnostic.record(f.source) for f in found]})
        if not output.json:
            for finding in found:
                output.lines(findings.show([finding.diagnostic], finding.source))
    errors = sum(diagnostic.is_error for diagnostic in everything)
    warnings = sum(diagnostic.severity.value == "warning" for diagnostic in everything)
    if output.json:
        summary = {"skills": len(records), "errors": errors, "warnings": warnings}
        output.record({"skills": records, "summary": summary})
    else:
        what = f"{plural(len(records), 'skill')}: {plural(errors, 'error')}, {plural(warnings, 'warning')}"
        output.note(what)
    if errors:
        raise typer.Exit(FINDINGS)


@skills_app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits and single hyphens.")],
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="What it is for and when to use it.")
    ] = None,
    root: Annotated[Path, typer.Option("--root", metavar="DIR", help="Folder of skills that it is put into.")] = Path(
        "skills"
    ),
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write a new skill that keeps all rules, to be filled with text."""
    from agentic_dsl.skills.skeleton import write_skeleton

    output = output_of(Settings.load(), format, quiet)
    manifest = write_skeleton(root, name, description)
    if output.json:
        output.record({"name": name, "path": str(manifest)})
    else:
        output.note("wrote the skill; what the model is to do goes into")
        output.data(f"{manifest}\n")


def registry_of(roots: list[Path] | None) -> SkillRegistry:
    """The skills of the folders that were named, of the default ones where none was.

    Raises:
        UsageError: a folder does not exist.
    """
    from agentic_dsl.skills.registry import SkillRegistry

    return SkillRegistry.load(_roots(roots))


def _roots(roots: list[Path] | None) -> list[Path]:
    from agentic_dsl.skills.folders import default_roots

    return roots or list(default_roots())


def _checked(registry: SkillRegistry, folders: list[Path] | None) -> list[tuple[str, list[SkillFinding]]]:
    """What is checked, by the file that findings stand in; all that was read, or what is in the folders."""
    from agentic_dsl.skills.manifest import load_skill
    from agentic_dsl.skills.registry import SkillFinding

    found: dict[str, list[SkillFinding]] = {str(r.source.path): [] for r in registry.readings.values()}
    for finding in registry.findings:
        found.setdefault(str(finding.source.path), []).append(finding)
    if folders:
        kept: dict[str, list[SkillFinding]] = {}
        for folder in folders:
            home = os.path.abspath(folder)
            below = {path: rows for path, rows in found.items() if Path(path).is_relative_to(home)}
            if not below:
                reading = load_skill(folder)
                below = {str(reading.source.path): [SkillFinding(reading.source, d) for d in reading.diagnostics]}
            kept |= below
        found = kept
    return [
        (_from_here(path), [SkillFinding(replace(f.source, path=_from_here(path)), f.diagnostic) for f in rows])
        for path, rows in found.items()
    ]


def _from_here(path: str) -> str:
    """A path as people name it: from the working folder where it is below that."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _print_resource(skill: Skill, path: str, output: Output) -> None:
    content = skill.read(path)
    if not output.json:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise UsageError(f'"{path}" is no text', help="print it without --format json") from exc
    output.record({"name": skill.name, "path": path, "bytes": len(content), "text": text})


def _facts(skill: Skill) -> dict[str, str]:
    """What stands above the text."""
    files = ", ".join(f"{resource.path} ({resource.size:,} B)" for resource in skill.resources)
    facts: dict[str, Any] = {
        "name": skill.name,
        "version": skill.version,
        "description": skill.description,
        "tags": " ".join(skill.tags),
        "requires": ", ".join(map(str, skill.requires)),
        "tools": ", ".join(tool.name for tool in skill.tools),
        "allowed tools": " ".join(skill.allowed_tools),
        "compatibility": skill.compatibility,
        "license": skill.license,
        "files": files,
        "tokens": f"about {skill.tokens:,}",
        "folder": skill.folder,
        "content": skill.content_hash[:16],
    }
    return {title: str(value) for title, value in facts.items() if value}


def _row(skill: Skill) -> dict[str, Any]:
    """A skill in a list."""
    return {
        "name": skill.name,
        "version": str(skill.version) if skill.version else None,
        "description": skill.description,
        "tags": list(skill.tags),
        "requires": [str(requirement) for requirement in skill.requires],
        "tokens": skill.tokens,
        "folder": str(skill.folder),
        "content_hash": skill.content_hash,
    }


def _record(skill: Skill) -> dict[str, Any]:
    """A skill with everything."""
    return _row(skill) | {
        "license": skill.license,
        "compatibility": skill.compatibility,
        "metadata": dict(skill.metadata),
        "allowed_tools": list(skill.allowed_tools),
        "tools": [tool.model_dump(mode="json") for tool in skill.tools],
        "resources": [{"path": r.path, "bytes": r.size, "sha256": r.digest} for r in skill.resources],
        "body": skill.body,
    }
