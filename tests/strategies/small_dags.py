"""Graphs drawn with little regard to the rules, so that many are valid in ways that no builder thinks of.

Nodes are drawn one after the other. Each refers mostly to names that wait for their declaration, so that most graphs
hang together; whether names are available, guards equal and outputs written is left to chance and judged afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.parse.reference import parse_reference
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec, ToolSpec
from agentic_dsl.node_table import AnyNode, Assert, Assign, DslCall, End, Fork, Join, Start, ToolCall
from agentic_dsl.paths import GENERATED_END, Path, Reference

PATH = Path(("dynamic", "plan"))
TOOL = ToolSpec(
    name="find",
    parameters={"properties": {"q": {"type": "string"}, "n": {"type": "integer"}}},
    returns={"type": "object", "properties": {"price": {"type": "number"}, "res": {}, "x": {}}},
)
LIBRARIES = (
    LibrarySpec(path="/lib/x/f", signature="(x: any) -> {res: any}"),
    LibrarySpec(path="/lib/x/g", signature="(q?: string, n: integer) -> {x: any, y?: any}", version="1"),
)
KEYS = ("x", "y", "res")
CALLS = ("/lib/x/f", "/lib/x/f?x=1", "/lib/x/f?x={{ y }}", "/lib/x/g@v1?n=3", "/lib/x/g@v1?q=a&n=-1")
READS = (
    "x",
    "y",
    "res",
    "q",
    "now",
    "$.x",
    "inputs.q",
    "x.price",
    "res.price",
    "res.other",
    "x[0].name",
    "$.y.price",
    "x.other",
)
STRATEGIES = (None, None, "deep_merge", "array_concat", "error_on_conflict")


@dataclass(frozen=True)
class DagCase:
    """A request, and a graph that may or may not be valid under it."""

    constraints: Constraints
    subgraph: Subgraph


@st.composite
def dag_cases(draw: st.DrawFn) -> DagCase:
    """A request and a graph."""
    required = draw(st.sampled_from([(), (), (), ("x",), ("res", "x")]))
    most = draw(st.integers(1, 7))
    constraints = Constraints(
        path=str(PATH),
        tools=(TOOL,),
        libraries=LIBRARIES,
        max_nodes=most,
        min_nodes=draw(st.sampled_from([1, 1, most])),
        context=ContextSignature(available_vars=("q",), required_outputs=required),
    )
    drawing = _Drawing(draw, most)
    return DagCase(constraints, Subgraph(path=PATH, nodes=tuple(drawing.nodes())))


@dataclass
class _Drawing:
    """Draws the nodes.

    Attributes:
        waiting: the ids that are named and not declared.
        into: who named them in a list.
        jumped: those that a handler names.
        results: keys that hold the whole result of a tool.
    """

    draw: st.DrawFn
    most: int
    waiting: list[str] = field(default_factory=list)
    into: dict[str, list[str]] = field(default_factory=dict)
    jumped: set[str] = field(default_factory=set)
    results: list[str] = field(default_factory=list)
    named: int = 0

    def nodes(self) -> list[AnyNode]:
        made: list[AnyNode] = []
        self.waiting.append(self.name())
        while self.waiting and len(made) <= self.most:
            at = self.waiting.pop(self.draw(st.integers(0, len(self.waiting) - 1)) if self.chance(4) else 0)
            self.left = self.most - len(made) - 1
            made.append(self.node(at, first=not made))
        return made

    def pick(self, options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def chance(self, one_in: int) -> bool:
        return bool(self.draw(st.integers(1, one_in)) == 1)

    def name(self) -> str:
        self.named += 1
        return f"n{self.named}"

    def node(self, at: str, *, first: bool) -> AnyNode:
        sources = self.into.get(at, [])
        if len(sources) > 1 and at not in self.jumped and not self.chance(3):
            references = tuple(self.ref(source) for source in sources)
            return Join(id=at, sources=references, merge_strategy=self.pick(STRATEGIES), next=self.following(at))
        kind = self.pick((Assign, Assign, ToolCall, ToolCall, Assert, DslCall, Fork, Fork, Start if first else End))
        if kind is End:
            return End(id=at, termination_mode=self.pick(("hard", "soft")))
        if kind is Fork and self.left >= 1:
            branches = self.targets(at, self.pick((2, 2, 3)))
            if len(branches) > 1:
                return Fork(id=at, branches=branches)
            return Assign(id=at, assign={"y": 1}, next=branches or (parse_reference(GENERATED_END),))
        if kind in (Fork, Start):
            return Start(id=at, next=self.following(at)) if first else End(id=at)
        fields = self.fields(kind)
        handler = {"on_failure" if kind is Assert else "on_error": self.handler(at)} if self.chance(3) else {}
        node: AnyNode = kind(id=at, next=self.following(at), **fields, **handler)
        return node

    def fields(self, kind: type[AnyNode]) -> dict[str, Any]:
        text = f"{{{{ {self.read()} }}}}" if self.results or self.chance(2) else "{{ now }}"
        keys = (self.pick(KEYS),)
        if kind is Assert:
            return {"condition": text}
        if kind is Assign:
            return {"assign": {key: self.pick((1, text)) for key in keys}}
        if kind is DslCall:
            return {"prompt_template": f"Say {text}.", "llm_tool_name": "m", "output_keys": keys}
        arguments = {"q": text} if self.chance(2) else {}
        if self.chance(3):
            return {"tool": "find", "arguments": arguments, "output_mapping": {keys[0]: self.pick(("price", "res[0]"))}}
        keys = self.pick((keys, keys, ("x", "res"), ("price",)))
        if len(keys) == 1:
            self.results.append(keys[0])
        return {"tool": "find", "arguments": arguments, "output_keys": keys}

    def read(self) -> str:
        name = self.pick(READS)
        if self.results and not self.chance(4):
            name = f"{self.pick(self.results)}.{self.pick(('price', 'price', 'other'))}"
        return str(self.pick((name, name, f"length({name})", f"default({name}, 0)")))

    def ref(self, name: str) -> Reference:
        return parse_reference(f"{PATH}/{name}")

    def target(self, at: str, taken: list[str]) -> str | None:
        """A name that waits already, or a new one while there seems to be room."""
        old = [name for name in self.waiting if name not in taken]
        if old and (not self.room or self.chance(2)):
            return str(self.pick(old))
        if not self.room and not self.chance(20):
            return None
        self.waiting.append(self.name())
        return self.waiting[-1]

    @property
    def room(self) -> bool:
        return len(self.waiting) < self.left

    def targets(self, at: str, count: int) -> tuple[Reference, ...]:
        taken: list[str] = []
        for _ in range(count):
            if (name := self.target(at, taken)) is not None:
                taken.append(name)
                self.into.setdefault(name, []).append(at)
        return tuple(map(self.ref, taken))

    def following(self, at: str) -> tuple[Reference, ...]:
        calls = (parse_reference(self.pick(CALLS)),) if self.chance(4) else ()
        nodes = () if self.chance(5) else self.targets(at, self.pick((1, 1, 1, 2)))
        return (*calls, *(nodes or ((parse_reference(GENERATED_END),) if not calls or self.chance(2) else ())))

    def handler(self, at: str) -> Reference:
        name = None if self.chance(3) else self.target(at, [])
        if name is None:
            return parse_reference(GENERATED_END)
        self.jumped.add(name)
        return self.ref(name)
