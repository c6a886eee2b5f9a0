"""A library of real contents, for lint to be measured on: ``python -m benchmarks.lint_library FOLDER``.

Written from NESTFUL's catalogues and gold plans, canonical, and without any finding of lint at default settings:

1. each tool is an adapter under ``/lib/net/**``: one ``tool_call``, and its result field by field
2. each tool is an entry under ``/lib/knowledge/**`` that checks its inputs and calls the adapter
3. each plan is a workflow under ``/lib/workflow/**`` that calls those entries one after the other
4. each plan with steps that need nothing of each other is one more workflow, in which they run side by side

Names become small letters with underscores, as models write them. A plan is left out where it names a tool that its
catalogue does not have, quotes a result that is not there or uses a label twice (`nestful_plans.defects`). Arguments
that the catalogue does not declare are dropped, and required ones that a plan does not give become inputs of its
workflow. Values that do not fit their schema stay: a call takes them from the context, where their type is not known.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path as FilePath

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.compiler.checks.generated_form import is_word
from agentic_dsl.compiler.parse.signature import parse_signature
from agentic_dsl.constraints import Constraints, ToolSpec
from agentic_dsl.format import format_document
from agentic_dsl.node_table import Assert, Assign, End, Start, ToolCall
from agentic_dsl.paths import Path, Version
from agentic_dsl.permission import Permission
from agentic_dsl.signature import Signature
from benchmarks.data import read_json
from benchmarks.lint_workflows import Callee, Chain, Workflow, step_name, workflows_of
from benchmarks.nestful_catalogue import normalise_catalogue
from benchmarks.nestful_plans import Plan, defects
from benchmarks.verdicts import published

CATALOGUES = {"executable": "executable", "non-executable-glaive": "glaive"}
"""File of a catalogue → its name in paths."""

BROKEN = frozenset({"unknown tool", "dangling reference", "duplicate label"})
"""Defects with which a plan is no workflow."""

WHOLE = "whole_result"
"""The output that holds a tool's result as it came."""

_WORDS = Constraints()


@dataclass(frozen=True)
class LibraryFile:
    """One file of the library: its name below the folder, and what it holds."""

    name: str
    text: str
    nodes: int


def library_files() -> Iterator[LibraryFile]:
    """Every file of the library, in order of catalogues.

    Raises:
        FileNotFoundError: the data is not there.
    """
    folder = published("nestful")
    for file, catalogue in CATALOGUES.items():
        tools = normalise_catalogue(read_json(folder / f"{file}-spec.json"))
        entries = _entries(tools)
        callees = {name: entry.callee(catalogue) for name, entry in entries.items()}
        for entry in entries.values():
            yield _file(adapter(entry, catalogue))
            yield _file(knowledge(entry, catalogue))
        for number, record in enumerate(read_json(folder / f"{file}-data.json")):
            plan = Plan.of(record)
            if not BROKEN & set(defects(plan, tools)):
                for workflow in workflows_of(plan, callees):
                    yield _file(_workflow_block(workflow, catalogue, number, plan.task))


def _entries(tools: tuple[ToolSpec, ...]) -> dict[str, Entry]:
    """Tool → its entry; of two tools whose names differ in signs and capitals alone, the second gets a number."""
    entries: dict[str, Entry] = {}
    for tool in tools:
        entry = Entry.of(tool)
        taken = sum(known.name.rstrip("_0123456789") == entry.name for known in entries.values())
        entries[tool.name] = replace(entry, name=f"{entry.name}_{taken + 1}") if taken else entry
    return entries


def write_library(folder: FilePath) -> tuple[int, int]:
    """Writes the library, and gives the number of its files and of their nodes."""
    files = list(library_files())
    for file in files:
        target = folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.text, encoding="utf-8")
    return len(files), sum(file.nodes for file in files)


@dataclass(frozen=True)
class Entry:
    """A tool under names that models can write.

    Attributes:
        inputs: name → the parameter of the tool.
        outputs: name → the field of the result.
    """

    tool: ToolSpec
    name: str
    inputs: dict[str, str]
    outputs: dict[str, str]

    @classmethod
    def of(cls, tool: ToolSpec) -> Entry:
        """The entry of a tool."""
        parameters, results = tool.parameters["properties"], dict(tool.returns)["properties"]
        inputs = {snake(name): name for name in parameters}
        return cls(
            tool, segment(tool.name), inputs, {snake(name): name for name in results if snake(name) not in inputs}
        )

    def required(self, name: str) -> bool:
        """Whether an input is required."""
        return self.inputs[name] in self.tool.parameters["required"]

    def signature(self) -> Signature:
        """What callers give and get."""
        inputs = [f"{n}{'' if self.required(n) else '?'}: {_type(self._schema(n))}" for n in self.inputs]
        fields = dict(self.tool.returns)["properties"]
        outputs = [f"{name}: {_type(fields[field])}" for name, field in self.outputs.items()]
        found = parse_signature(f"({', '.join(inputs)}) -> {{{', '.join([*outputs, f'{WHOLE}: any'])}}}")
        assert isinstance(found, Signature), found
        return found

    def callee(self, catalogue: str) -> Callee:
        """What plans need to know of it."""
        return Callee(
            f"/lib/knowledge/{catalogue}/{self.name}@v1",
            {parameter: name for name, parameter in self.inputs.items()},
            tuple(name for name in self.inputs if self.required(name)),
            {field: name for name, field in self.outputs.items()} | {"": WHOLE},
        )

    def _schema(self, name: str) -> dict[str, object]:
        schema: dict[str, object] = self.tool.parameters["properties"][self.inputs[name]]
        return schema

    def given(self, name: str) -> str:
        """The template that hands an input on."""
        return f"{{{{ inputs.{name} }}}}" if self.required(name) else f'{{{{ default(inputs.{name}, "") }}}}'


def adapter(entry: Entry, catalogue: str) -> Subgraph:
    """The tool itself, behind a contract."""
    path = Path(("lib", "net", catalogue, entry.name))
    chain = Chain(path)
    arguments = {parameter: entry.given(name) for name, parameter in entry.inputs.items()}
    chain.add(ToolCall(id="call", tool=entry.tool.name, arguments=arguments, output_keys=(WHOLE,)))
    if entry.outputs:
        fields = {name: f"{{{{ {WHOLE}{_step(field)} }}}}" for name, field in entry.outputs.items()}
        chain.add(Assign(id="unpack", assign=fields))
    chain.add(End(id="done", termination_mode="soft", output_keys=(*entry.outputs, WHOLE)))
    return Subgraph(
        path=path,
        prose=f"Calls the tool {entry.tool.name}.",
        signature=entry.signature(),
        version=Version((1, 0)),
        permissions=(Permission("tool", entry.tool.name),),
        nodes=chain.nodes,
    )


def knowledge(entry: Entry, catalogue: str) -> Subgraph:
    """The tool as workflows use it: what it needs is looked at before it is called."""
    path = Path(("lib", "knowledge", catalogue, entry.name))
    chain = Chain(path)
    chain.add(Start(id="begin"))
    for name in entry.inputs:
        if entry.required(name):
            chain.add(Assert(id=step_name("has", name), condition=f'{{{{ inputs.{name} != "" }}}}'))
    query = "&".join(f"{name}={entry.given(name)}" for name in entry.inputs)
    chain.call(f"/lib/net/{catalogue}/{entry.name}@v1" + (f"?{query}" if query else ""))
    chain.add(End(id="done", termination_mode="soft", output_keys=(*entry.outputs, WHOLE)))
    said = " ".join(entry.tool.description.split())
    return Subgraph(
        path=path,
        prose=f"Knows how to use {entry.tool.name}.\n\n{said}",
        signature=entry.signature(),
        version=Version((1, 0)),
        nodes=chain.nodes,
    )


def _workflow_block(workflow: Workflow, catalogue: str, number: int, task: str) -> Subgraph:
    path = Path(("lib", "workflow", catalogue, f"plan_{number:03}{workflow.suffix}"))
    inputs, outputs = (", ".join(f"{name}: any" for name in names) for names in (workflow.inputs, workflow.outputs))
    signature = parse_signature(f"({inputs}) -> {{{outputs}}}")
    assert isinstance(signature, Signature), signature
    return Subgraph(
        path=path,
        prose=f"{workflow.says}\n\n{' '.join(task.split())}",
        signature=signature,
        version=Version((1, 0)),
        nodes=workflow.nodes(path),
    )


def _file(block: Subgraph) -> LibraryFile:
    name = f"{'/'.join(block.path.segments[1:])}.md"
    return LibraryFile(name, format_document(Document(blocks=(block,))), len(block.nodes))


def segment(name: str) -> str:
    """The name of a tool as a segment of a path."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()).strip("_")


def snake(name: str) -> str:
    """A name of a parameter or field as models can write it."""
    word = segment(name)
    word = (word if word[:1].isalpha() else f"n_{word}")[: _WORDS.max_identifier_chars].rstrip("_")
    return word if is_word(word, _WORDS) else f"{word[:26]}_value"


def _step(field: str) -> str:
    return f".{field}" if re.fullmatch(r"[A-Za-z_]\w*", field) else f'["{field}"]'


def _type(schema: dict[str, object]) -> str:
    return str(schema.get("type", "any"))


def main(arguments: list[str]) -> int:
    """Writes the library into the folder that is named."""
    if len(arguments) != 1:
        print("usage: python -m benchmarks.lint_library FOLDER", file=sys.stderr)
        return 2
    files, nodes = write_library(FilePath(arguments[0]))
    print(f"{files:,} files, {nodes:,} nodes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
