"""What the texts of front matter mean: name, allowed tools, version, tags, requirements, tools."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentic_dsl import codes
from agentic_dsl.compiler.checks.schema_faults import fault_of, is_surely_good
from agentic_dsl.compiler.parse.problem import Problem, quoted
from agentic_dsl.compiler.parse.reference import parse_version
from agentic_dsl.compiler.parse.scalar_span import span_in_scalar
from agentic_dsl.constraints import MAX_TOOLS, ToolSpec
from agentic_dsl.diagnostics import Code, Diagnostic
from agentic_dsl.errors import ConstraintError
from agentic_dsl.paths import Version
from agentic_dsl.skills.front_matter import Entry, FrontMatter
from agentic_dsl.skills.requirements import NAME, Requirement, parse_requires
from agentic_dsl.skills.skill import Resource
from agentic_dsl.skills.skill_files import SkillFileError, read_file
from agentic_dsl.span import Source, Span

MAX_TAGS = 50
MAX_TAG = 64
MAX_REQUIRES = 100

_TAG = re.compile(r"\w+(?:[-.+/#]\w+)*[+#]*")
_TOOL_WORD = re.compile(r"(?:[^\s()]|\([^()]*\))+")
"""A tool with what may be done with it: ``Read``, ``Bash(git add:*)``."""


@dataclass(frozen=True, slots=True)
class ManifestValues:
    """What was understood; empty where it was not, and a finding says why."""

    allowed_tools: tuple[str, ...]
    version: Version | None
    tags: tuple[str, ...]
    requires: tuple[Requirement, ...]
    tools: tuple[ToolSpec, ...]


def read_values(
    front: FrontMatter,
    source: Source,
    folder: Path,
    resources: Mapping[str, Resource] | None,
    diagnostics: list[Diagnostic],
) -> ManifestValues:
    """Reads the values of a front matter.

    Args:
        front: the texts.
        source: the manifest that they stand in.
        folder: the folder of the skill.
        resources: its resources by path, None where they were not read; then nothing is said of its tools.
        diagnostics: takes what is wrong.
    """
    reader = _Reader(source, diagnostics)
    if (name := front.texts.get("name")) is not None:
        reader.check_name(name, folder)
    texts, metadata = front.texts, front.metadata
    return ManifestValues(
        allowed_tools=reader.allowed_tools(texts["allowed-tools"]) if "allowed-tools" in texts else (),
        version=reader.version(metadata["version"]) if "version" in metadata else None,
        tags=reader.tags(metadata["tags"]) if "tags" in metadata else (),
        requires=reader.requires(metadata["requires"], name) if "requires" in metadata else (),
        tools=reader.tools(metadata["tools"], folder, resources)
        if "tools" in metadata and resources is not None
        else (),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the values of one manifest."""

    source: Source
    diagnostics: list[Diagnostic]

    def report(self, code: Code, span: Span, message: str, help: str) -> None:
        self.diagnostics.append(code.at(span, message, help=help))

    def check_name(self, entry: Entry, folder: Path) -> None:
        """Holds the name to its rules, and to the folder's."""
        name, span = entry.text, entry.value
        if NAME.fullmatch(name) is None:
            proposal = "-".join(re.findall(r"[a-z0-9]+", name.lower()))
            help = f'write "{proposal}"' if proposal else "use small letters, digits and single hyphens"
            self.report(codes.BAD_SKILL_NAME, span, f"the name {quoted(name)} {_name_fault(name)}", help)
            return
        own = os.path.basename(os.path.abspath(folder))
        if name != own:
            message = f"the skill is called {quoted(name)}, its folder {quoted(own)}"
            self.report(codes.NAME_IS_NOT_FOLDER, span, message, "give both the same name")

    def allowed_tools(self, entry: Entry) -> tuple[str, ...]:
        found = []
        at = 0
        for match in _TOOL_WORD.finditer(entry.text):
            if entry.text[at : match.start()].strip() or match[0].endswith(",") or "," in _outside(match[0]):
                break
            found.append(match[0])
            at = match.end()
        else:
            if not entry.text[at:].strip():
                return tuple(dict.fromkeys(found))
        message = f"allowed-tools cannot be read from {quoted(entry.text[at:].strip())} on"
        self.report(codes.BAD_ALLOWED_TOOLS, entry.value, message, 'separate them by spaces: "Read Bash(git:*)"')
        return ()

    def version(self, entry: Entry) -> Version | None:
        version = parse_version(entry.text.strip())
        if version is None:
            message = f"{quoted(entry.text)} is no version"
            self.report(codes.BAD_SKILL_VERSION, entry.value, message, 'write one to three numbers: "1.2.0"')
        return version

    def tags(self, entry: Entry) -> tuple[str, ...]:
        tags = tuple(dict.fromkeys(entry.text.split()))
        if len(tags) > MAX_TAGS:
            message = f"there are {len(tags):,} tags, more than {MAX_TAGS}"
            self.report(codes.BAD_TAGS, entry.value, message, "keep those that people search for")
            return ()
        wrong = next((tag for tag in tags if len(tag) > MAX_TAG or not _TAG.fullmatch(tag)), None)
        if wrong is None and tags:
            return tags
        message = "tags is empty" if wrong is None else f"{quoted(wrong)} is no tag"
        help = 'separate tags by spaces, and words within a tag by hyphens: "data-flow templates"'
        self.report(codes.BAD_TAGS, entry.value, message, help)
        return ()

    def requires(self, entry: Entry, name: Entry | None) -> tuple[Requirement, ...]:
        found = parse_requires(entry.text)
        if isinstance(found, Problem):
            span = span_in_scalar(self.source, entry.value, found.span)
            self.report(
                codes.BAD_REQUIRES, span if span.end > span.start else entry.value, found.message, found.help or ""
            )
            return ()
        if len(found) > MAX_REQUIRES:
            message = f"{len(found):,} skills are required, more than {MAX_REQUIRES}"
            self.report(codes.BAD_REQUIRES, entry.value, message, "require those that it needs itself")
            return ()
        for requirement, place in found:
            if name is not None and requirement.name == name.text:
                span = span_in_scalar(self.source, entry.value, place)
                self.report(codes.BAD_REQUIRES, span, "the skill requires itself", "remove it")
                return ()
        return tuple(requirement for requirement, _ in found)

    def tools(self, entry: Entry, folder: Path, resources: Mapping[str, Resource]) -> tuple[ToolSpec, ...]:
        path = entry.text.strip()
        resource = resources.get(path)
        if resource is None:
            help = "name a JSON file of the skill, such as assets/tools.json"
            self.report(codes.BAD_TOOLS_FILE, entry.value, f"the skill has no resource {quoted(path)}", help)
            return ()
        try:
            content = read_file(folder, path, resource.size)
            if hashlib.sha256(content).hexdigest() != resource.digest:
                message, help = f"{quoted(path)} was changed while the skill was read", "load the skill again"
                self.report(codes.SKILL_CHANGING, entry.value, message, help)
                return ()
            return tuple(_tool_specs(content))
        except SkillFileError as exc:
            self.report(exc.kind, entry.value, exc.message, exc.help)
        except _ToolsError as exc:
            self.report(codes.BAD_TOOLS_FILE, entry.value, f"{quoted(path)}: {exc}", "correct the file")
        return ()


def _name_fault(name: str) -> str:
    """What is wrong with a name, as a sentence goes on behind it."""
    other = next((character for character in name if not re.match(r"[a-z0-9-]", character)), None)
    if other is not None:
        kind = "the capital letter " if other.isupper() else ""
        return f"holds {kind}{quoted(other)}; names hold small letters, digits and hyphens"
    return "holds two hyphens in a row" if "--" in name else "begins or ends with a hyphen"


def _outside(word: str) -> str:
    """A word without what stands in parentheses."""
    return re.sub(r"\([^()]*\)", "", word)


class _ToolsError(Exception):
    """Why a tools file cannot be used."""


def _tool_specs(content: bytes) -> Iterator[ToolSpec]:
    for number, tool in enumerate(_tool_records(content), 1):
        name = tool.get("name")
        called = f"the tool {quoted(name)}" if isinstance(name, str) else f"tool {number}"
        try:
            spec = ToolSpec(**tool)
        except ConstraintError as exc:
            raise _ToolsError(f"{called}: {exc.message}") from exc
        for kind, schema in (("parameters", spec.parameters), ("returns", spec.returns)):
            if not is_surely_good(schema) and (fault := fault_of(schema)) is not None:
                raise _ToolsError(f"{called}: {kind}: {fault}")
        yield spec


def _tool_records(content: bytes) -> list[dict[str, Any]]:
    """The objects of a tools file: the form that ``--tools`` takes."""
    try:
        tools = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        raise _ToolsError("it is not UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise _ToolsError(f"it is not JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}") from exc
    except (RecursionError, ValueError) as exc:  # ValueError: a number of thousands of digits
        raise _ToolsError("its values are nested too deeply or too long") from exc
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise _ToolsError("it holds no JSON array of objects")
    if len(tools) > MAX_TOOLS:
        raise _ToolsError(f"it holds {len(tools):,} tools, more than {MAX_TOOLS:,}")
    counted = Counter(tool["name"] for tool in tools if isinstance(tool.get("name"), str))
    if counted and counted.most_common(1)[0][1] > 1:
        raise _ToolsError(f"the tool {quoted(counted.most_common(1)[0][0])} stands there twice")
    return tools
