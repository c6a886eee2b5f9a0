"""Constraints, and subgraphs that are valid under them, in the generated form: built forward, never filtered.

The builder keeps to ``language.md`` §5 by construction. It knows at each point which names are available, ends a path
only where all required outputs are, and enters a join only from branches whose guards are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.parse.permission import parse_permission
from agentic_dsl.compiler.parse.reference import parse_reference
from agentic_dsl.compiler.parse.signature import parse_signature
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec, ToolSpec
from agentic_dsl.format import format_signature
from agentic_dsl.node_table import (
    GENERATED_TYPES,
    AnyNode,
    Assert,
    Assign,
    CodeletCall,
    DslCall,
    End,
    Fork,
    GenerateSubgraph,
    Join,
    Start,
    ToolCall,
)
from agentic_dsl.paths import GENERATED_END, Layer, Path, Reference
from agentic_dsl.permission import Permission
from agentic_dsl.signature import Signature
from tests.strategies.requests import (
    INTEGER,
    LIBRARIES,
    PATHS,
    PERMISSIONS,
    TOOL_NAMES,
    contexts,
    ints,
    numbers,
    pieces,
    plain_texts,
    signatures,
    tool_specs,
)
from tests.strategies.values import words


@dataclass(frozen=True)
class Case:
    """A request, and an answer that is valid under it."""

    constraints: Constraints
    subgraph: Subgraph


@st.composite
def generated_cases(draw: st.DrawFn) -> Case:
    """A request and a valid answer in the generated form."""
    path = Path(tuple(draw(st.sampled_from(PATHS))[1:].split("/")))
    signature = draw(signatures()) if path.is_library or draw(st.integers(0, 3)) == 0 else None
    tools: tuple[ToolSpec, ...] | None = None
    if draw(st.booleans()):
        tools = tuple(
            draw(tool_specs(name)) for name in draw(st.lists(st.sampled_from(TOOL_NAMES), unique=True, max_size=3))
        )
    libraries = tuple(lib for lib in LIBRARIES if draw(st.booleans()))
    context = draw(contexts(signature)) if draw(st.booleans()) else None
    builder = _Builder(draw, path, tools, libraries, signature, context)
    granted = tuple(text for text in PERMISSIONS if draw(st.booleans()))
    subgraph = Subgraph(
        path=path,
        nodes=tuple(builder.build()),
        signature=signature,
        permissions=tuple(
            p for text in granted if draw(st.booleans()) and isinstance(p := parse_permission(text), Permission)
        ),
    )
    stated = signature is not None and (not path.is_library or draw(st.booleans()))
    count = len(subgraph.nodes)
    used = {node.type for node in subgraph.nodes}
    more = {name for name in GENERATED_TYPES if draw(st.booleans())}
    constraints = Constraints(
        path=str(path),
        signature=format_signature(signature) if signature is not None and stated else None,
        max_nodes=count + draw(st.integers(0, 3)),
        min_nodes=draw(st.integers(1, count)),
        allowed_node_types=tuple(used | more) if draw(st.booleans()) else None,
        tools=tools,
        libraries=libraries,
        context=context,
        targets=("/end_soft",) if draw(st.booleans()) else (),
        permissions=granted,
    )
    return Case(constraints, subgraph)


# --- the answer ------------------------------------------------------------------------------------------------------

Names = frozenset[str]


@dataclass
class _Builder:
    """Builds one answer. ``nodes`` grows in the order of the canonical layout or near it."""

    draw: st.DrawFn
    path: Path
    tools: tuple[ToolSpec, ...] | None
    libraries: tuple[LibrarySpec, ...]
    signature: Signature | None
    context: ContextSignature | None
    nodes: list[AnyNode] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    steps_left: int = 10

    def build(self) -> list[AnyNode]:
        inputs = [p.name for p in self.signature.inputs] if self.signature else []
        outputs = list(self.signature.required_outputs) if self.signature else []
        if self.context is not None:
            inputs += self.context.available_vars
            outputs += self.context.required_outputs
        self.required: Names = frozenset(outputs)
        self.taken |= {*inputs, *outputs}
        sure = set(inputs) - ({p.name for p in self.signature.inputs if not p.required} if self.signature else set())
        first = self.word()
        if self.draw(st.booleans()):
            after = self.word()
            self.nodes.append(Start(id=first, next=(self.ref(after),)))
            first = after
        self.run(first, frozenset(sure), None, free=True)
        return self.nodes

    # -- names --

    def word(self) -> str:
        """A new id or key."""
        word = self.draw(words)
        while word in self.taken:
            word = f"{word[:28]}_{len(self.taken)}"
        self.taken.add(word)
        return word

    def ref(self, node_id: str) -> Reference:
        return parse_reference(f"{self.path}/{node_id}")

    def pick(self, options: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(options))

    def chance(self, one_in: int) -> bool:
        return bool(self.draw(st.integers(1, one_in)) == 1)

    # -- structure --

    def run(self, at: str, known: Names, target: str | None, *, free: bool) -> Names:
        """Declares ``at`` and what follows it, up to an end or up to the edge to ``target``.

        Args:
            at: id of the first node, referred to already.
            known: the names available there.
            target: where the path leads; None: it ends by itself.
            free: whether a handler may end the run: not within the branches of a join, whose guards must be equal.

        Returns:
            What is delivered to ``target``.
        """
        while self.steps_left > 0 and not self.chance(3):
            self.steps_left -= 1
            shape = self.pick(("step", "step", "handled", "diamond", "spread"))
            if shape == "spread" and target is None and free:
                return self.spread(at, known)
            if shape == "diamond":
                at, known = self.diamond(at, known)
            elif shape == "handled":
                at, known = self.handled(at, known, free=free)
            else:
                after = self.word()
                known = self.step(at, known, self.ref(after))
                at = after
        if target is not None:
            return self.step(at, known, self.ref(target))
        self.finish(at, known)
        return known

    def finish(self, at: str, known: Names) -> None:
        """Ends a path at ``at``, writing before that what is still required."""
        missing = self.required - known
        if not missing and self.chance(2):
            keys = [name for name in sorted(known) if self.chance(3)]
            mode = self.pick(("hard", "soft"))
            self.nodes.append(End(id=at, termination_mode=mode, output_keys=tuple(keys)))
            return
        assign = {name: self.value(known) for name in sorted(missing)} or {self.word(): self.value(known)}
        if self.chance(2):
            self.nodes.append(Assign(id=at, assign=assign, next=(parse_reference(GENERATED_END),)))
        else:
            last = self.word()
            self.nodes.append(Assign(id=at, assign=assign, next=(self.ref(last),)))
            self.nodes.append(End(id=last, termination_mode="soft", output_keys=tuple(sorted(missing))))

    def spread(self, at: str, known: Names) -> Names:
        """Branches that are never joined, each with its own end."""
        branches = [self.word() for _ in range(self.pick((2, 3)))]
        references = tuple(map(self.ref, branches))
        if self.chance(2):
            self.nodes.append(Fork(id=at, branches=references))
        else:
            known = self.step(at, known, *references)
        for branch in branches:
            self.run(branch, known, None, free=True)
        return known

    def diamond(self, at: str, known: Names) -> tuple[str, Names]:
        """A fork, its branches, and their join; the branches may write the same key where the join merges it."""
        branches = [self.word() for _ in range(self.pick((2, 2, 3)))]
        join, after = self.word(), self.word()
        strategy = self.pick((None, None, "error_on_conflict", "deep_merge", "array_concat", "array_merge_unique"))
        shared = self.word() if strategy not in (None, "error_on_conflict") else None
        if self.chance(3):
            known = self.step(at, known, *map(self.ref, branches))
        else:
            self.nodes.append(Fork(id=at, branches=tuple(map(self.ref, branches))))
        union, sources = known, []
        for branch in branches:
            first, seen = branch, known
            if shared is not None:
                first = self.word()
                self.nodes.append(Assign(id=branch, assign={shared: self.value(known)}, next=(self.ref(first),)))
                seen = known | {shared}
            union |= self.run(first, seen, join, free=False)
            sources.append(self.nodes[-1].id)
        sources_refs = tuple(map(self.ref, sources))
        union |= self.join_calls(join, sources_refs, strategy, after, union)
        return after, union

    def join_calls(
        self, join: str, sources: tuple[Reference, ...], strategy: str | None, after: str, known: Names
    ) -> Names:
        calls, outputs = self.calls(known)
        self.nodes.append(Join(id=join, sources=sources, merge_strategy=strategy, next=(*calls, self.ref(after))))
        return outputs

    def handled(self, at: str, known: Names, *, free: bool) -> tuple[str, Names]:
        """A node with a handler: at a system end, a path of its own, or one that comes back."""
        after, handler = self.word(), self.word()
        form = self.pick(("system", "own", "back"))
        if form == "system" and self.required <= known:
            return after, self.step(at, known, self.ref(after), handler=parse_reference(GENERATED_END))
        if form == "own" and free:
            main = self.step(at, known, self.ref(after), handler=self.ref(handler))
            self.run(handler, known, None, free=True)
            return after, main
        merged = self.word()
        main = self.step(at, known, self.ref(merged), handler=self.ref(handler))
        back = self.run(handler, known, merged, free=False)
        return merged, main & back

    def step(self, at: str, known: Names, *successors: Reference, handler: Reference | None = None) -> Names:
        """One node that goes on to ``successors``; returns what it delivers to them."""
        kinds = [Assert, Assign, Assign]
        namespace = self.path.namespace
        if namespace is None or namespace.layer is not Layer.KNOWLEDGE:
            kinds += [CodeletCall, DslCall, GenerateSubgraph]
            kinds += [ToolCall, ToolCall] if self.tools is None or self.tools else []
        kind = self.pick(kinds)
        fields = self.fields(kind, known)
        writes = kind(id=at, **fields).writes
        calls, outputs = self.calls(known | {*writes})
        if handler is not None:
            fields["on_failure" if kind is Assert else "on_error"] = handler
        self.nodes.append(kind(id=at, next=(*calls, *successors), **fields))
        return known | {*writes} | outputs

    # -- fields --

    def fields(self, kind: type[AnyNode], known: Names) -> dict[str, Any]:
        if kind is Assert:
            return {"condition": self.condition(known)}
        if kind is Assign:
            assign = {self.word(): self.value(known) for _ in range(self.pick((1, 1, 2)))}
            return {"assign": assign} | ({"output_keys": tuple(assign)} if self.chance(3) else {})
        if kind is ToolCall:
            return self.tool_fields(known)
        if kind is CodeletCall:
            keys = {"output_keys": self.keys()} if self.chance(2) else {}
            return {"runtime": "python3", "code": self.draw(plain_texts.filter(bool)), **keys}
        prompt = {"prompt_template": self.text(known, empty=False), "output_keys": self.keys()}
        if kind is DslCall:
            return prompt | {"llm_tool_name": self.pick(("llama-default", "gpt", "a.b/c")), "llm_params": self.params()}
        prefix = self.pick((None, "/dynamic/sub", "/dynamic/a/b"))
        return prompt | {"signature_validation": self.pick(("strict", "warn", "ignore")), "namespace_prefix": prefix}

    def keys(self) -> tuple[str, ...]:
        return tuple(self.word() for _ in range(self.pick((1, 1, 2))))

    def params(self) -> dict[str, Any]:
        values = {
            "temperature": numbers,
            "max_tokens": ints,
            "model": plain_texts.filter(bool),
            "seed": ints,
        }
        return {name: self.draw(strategy) for name, strategy in values.items() if self.chance(3)}

    def tool_fields(self, known: Names) -> dict[str, Any]:
        if self.tools is None:
            names = [name for name in ("query", "max-results", "Limit.x") if self.chance(2)]
            arguments = {name: self.value(known) for name in names}
            fields: dict[str, Any] = {"tool": self.pick(("web_search", "a/b-c.d")), "arguments": arguments}
            results: list[str] = []
        else:
            tool = self.pick(self.tools)
            required = tool.parameters["required"]
            arguments = {
                key: self.argument(schema, known)
                for key, schema in tool.parameters["properties"].items()
                if key in required or self.chance(2)
            }
            fields = {"tool": tool.name, "arguments": arguments}
            results = list(tool.returns.get("properties", ()))
        new = [name for name in results if name not in self.taken]
        if len(new) > 1 and self.chance(2):
            self.taken |= {*new}
            return fields | {"output_keys": tuple(new)}
        if self.chance(4):
            keys = {self.word(): results[0] if results else "items[0].name"}
            return fields | {"output_mapping": keys}
        return fields | {"output_keys": (self.word(),)}

    def argument(self, schema: dict[str, Any], known: Names) -> Any:
        if self.chance(4) and known:
            return self.template(known)
        match schema:
            case {"enum": values}:
                return self.pick(values)
            case {"type": "string"}:
                return self.text(known)
            case {"type": "array", "items": items}:
                return tuple(self.argument(items, known) for _ in range(self.pick((0, 1, 2))))
            case {"type": "integer"}:
                return self.draw(ints)
            case {"type": "number"}:
                return self.draw(numbers)
            case _:
                return self.draw(st.booleans())

    def calls(self, known: Names) -> tuple[tuple[Reference, ...], Names]:
        """Library calls on one edge, and what they add."""
        calls: list[Reference] = []
        outputs: Names = frozenset()
        for library in self.libraries:
            signature = parse_signature(library.signature)
            assert isinstance(signature, Signature)
            # Once: two calls in parallel branches would deliver different values of one name to their join.
            if library.path in self.called or not self.chance(5):
                continue
            self.called.add(library.path)
            query = []
            for parameter in signature.inputs:
                if parameter.required or self.chance(2):
                    if parameter.type == INTEGER:
                        value = str(self.draw(st.integers(0, 10**6)))
                    elif known and self.chance(2):
                        value = f"{{{{ {self.pick(sorted(known))} }}}}"
                    else:
                        value = quote(self.draw(plain_texts.filter(bool)), safe="")
                    query.append(f"{parameter.name}={value}")
            calls.append(parse_reference(library.reference + (f"?{'&'.join(query)}" if query else "")))
            outputs |= {p.name for p in signature.outputs}
            known |= outputs
        return tuple(calls), outputs

    # -- texts --

    def read(self, known: Names) -> str:
        return f"{self.pick(('', '$.'))}{self.pick(sorted(known))}"

    def operand(self, known: Names) -> str:
        name = self.read(known)
        form = self.pick(("{0}", "{0}", "length({0})", "default({0}, {1})"))
        return str(form.format(name, self.pick((self.read(known), '"none"', "0", "-1.5", "true"))))

    def template(self, known: Names) -> str:
        return f"{{{{ {self.operand(known)} }}}}"

    def condition(self, known: Names) -> str:
        if not known:
            return "{{ default(maybe, true) }}"
        if self.chance(2):
            return self.template(known)
        operator = self.pick(("==", "!=", "<", "<=", ">", ">="))
        right = self.pick((self.operand(known), "3", "0.25", '"a b"', "false"))
        return f"{{{{ {self.operand(known)} {operator} {right} }}}}"

    def text(self, known: Names, *, empty: bool = True) -> str:
        """Text with templates; a brace at its end is no opening."""
        parts = [
            self.template(known) if known and self.chance(3) else self.draw(pieces)
            for _ in range(self.pick((0, 1, 2, 3)))
        ]
        text = "".join(parts) + self.pick(("", "", "", "{"))
        return text if text or empty else "Go."

    def value(self, known: Names) -> Any:
        """What ``assign`` and the arguments of an unknown tool may hold: a scalar, or a list of scalars."""
        scalars = (
            lambda: None,
            lambda: self.draw(st.booleans()),
            lambda: self.draw(numbers),
            lambda: self.text(known),
            lambda: self.text(known),
        )
        if self.chance(5):
            return tuple(self.pick(scalars)() for _ in range(self.pick((0, 1, 2))))
        return self.pick(scalars)()
