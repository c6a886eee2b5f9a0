"""A clean flow of nodes by chance: every name is written before it is read, and nothing is written for nobody."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_VERBS = ("find", "check", "build", "sort", "plan", "price", "rank", "draft", "merge", "note", "weigh", "trim", "load")
_NOUNS = (
    "offers",
    "hotel",
    "route",
    "letter",
    "facts",
    "budget",
    "photos",
    "menu",
    "answer",
    "table",
    "trip",
    "report",
)
_SENTENCES = (
    "Say in two sentences what matters.",
    "Écris un résumé.",
    "Keep to the facts; 100 % of them.",
    "用中文回答。",
)

TOOLS: Mapping[str, Mapping[str, Any]] = {
    "web_search": {
        "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["query"],
        "returns": {"hits": {"type": "array"}, "count": {"type": "integer"}},
    },
    "get_weather": {
        "properties": {
            "city": {"type": "string"},
            "unit": {"enum": ["celsius", "kelvin"]},
            "days": {"type": "integer"},
        },
        "required": ["city"],
        "returns": {"sky": {"type": "string"}, "degrees": {"type": "number"}},
    },
    "send_mail": {
        "properties": {"to": {"type": "array", "items": {"type": "string"}}, "body": {"type": "string"}},
        "required": ["to", "body"],
        "returns": {"sent": {"type": "boolean"}, "queue": {"type": "string"}},
    },
}
"""Tools that flows call: the properties of their arguments, those that are required, and the fields of the result."""

CALLED = "/lib/math/scale"
CONTRACT = (
    "Scales a number.\n\n"
    f"### AgenticDSL `{CALLED}`\n```yaml\n"
    'signature: "(amount: number, factor: number, hint?: string) -> {scaled: number}"\n'
    'version: "1.2"\nstability: stable\n```\n'
)
"""A library document that flows call."""


@dataclass
class Flow:
    """Builds the nodes of one block. ``nodes`` grows in the order in which they run.

    Attributes:
        reaches_out: whether nodes may reach outside of the graph, as those of layer-3 libraries must not.
        generates: whether a node generates a subgraph.
        known: names that every following node may read.
        unread: those of them that nothing has read yet.
        tools: the tools that are called.
        calls: whether the library is called.
    """

    rng: random.Random
    path: str
    inputs: tuple[str, ...] = ()
    reaches_out: bool = True
    generates: bool = False
    nodes: list[dict[str, Any]] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    tools: set[str] = field(default_factory=set)
    calls: bool = False
    _taken: set[str] = field(default_factory=set)

    def build(self, steps: int, output: str) -> list[dict[str, Any]]:
        """Some steps by chance, a node that reads all that is left and writes ``output``, and an end."""
        self.known, self.unread = list(self.inputs), list(self.inputs)
        self._taken |= {*self.inputs, output, "done"}
        at = self.word()
        if self.rng.random() < 0.5:
            at = self.add(at, "start")
        shapes = [self.assign, self.diamond, self.check, self.call]
        if self.reaches_out:
            shapes += [self.tool, self.ask, self.code, self.handled]
        if self.generates:
            at = self.generate(at)
        for _ in range(steps):
            at = self.rng.choice(shapes)(at)
        text = " ".join(f"{{{{ {name} }}}}" for name in dict.fromkeys(self.unread)) or "Nothing."
        self.add(at, "assign", {"assign": {output: text}}, after="done")
        end: dict[str, Any] = {"output_keys": [output]}
        if self.rng.random() < 0.5:
            end = {"metadata": {"termination_mode": "soft"}, **end}
        self.nodes.append({"id": "done", "type": "end", **end})
        if self.rng.random() < 0.3:
            self.nodes.append(
                {"id": self.word(), "type": "resource", "resource_type": "api_endpoint", "uri": "https://api.test/v1"}
            )
        return self.nodes

    # --- parts ------------------------------------------------------------------------------------------------------

    def word(self) -> str:
        """A name that is not taken yet."""
        while True:
            word = f"{self.rng.choice(_VERBS)}_{self.rng.choice(_NOUNS)}"
            if self.rng.random() < 0.3:
                word += f"_{self.rng.randint(2, 9)}"
            if word not in self._taken:
                self._taken.add(word)
                return word

    def reference(self, name: str) -> str:
        """The full path of a node."""
        return f"{self.path}/{name}"

    def read(self) -> str:
        """A template that reads a known name, those first that nothing has read."""
        if not self.known:
            return "nothing yet"
        name = self.unread.pop(0) if self.unread else self.rng.choice(self.known)
        form = self.rng.choice(("{{ %s }}", "{{ $.%s }}", "about {{ %s }}, please", '{{ default(%s, "none") }}'))
        return form % name

    def literal(self) -> Any:
        """A value that reads a name, or one that does not."""
        return self.read() if self.rng.random() < 0.5 else self.rng.choice((self.rng.randint(1, 99), True, ["a", "b"]))

    def write(self, *names: str) -> None:
        """Says that names are there from now on."""
        self.known += names
        self.unread += names

    def add(self, at: str, type_: str, fields: Mapping[str, Any] | None = None, *, after: str | None = None) -> str:
        """A node with one successor; returns the id of it."""
        after = after or self.word()
        self.nodes.append({"id": at, "type": type_, **(fields or {}), "next": [self.reference(after)]})
        return after

    def assign(self, at: str) -> str:
        """Writes one or two names."""
        names = [self.word() for _ in range(self.rng.randint(1, 2))]
        values = [self.literal() for _ in names]
        after = self.add(at, "assign", {"assign": dict(zip(names, values, strict=True))})
        self.write(*names)
        return after

    def tool_fields(self) -> dict[str, Any]:
        """The fields of a tool call."""
        name = self.rng.choice(sorted(TOOLS))
        self.tools.add(name)
        values = {"city": "Lisbon", "to": ["desk@example.org"]}
        more = {"limit": 5, "days": 3, "unit": "celsius"}
        arguments: dict[str, Any] = {key: values.get(key) or self.read() for key in TOOLS[name]["required"]}
        arguments |= {k: more[k] for k in TOOLS[name]["properties"] if k in more and self.rng.random() < 0.5}
        return {"tool": name, "arguments": arguments, "output_keys": [self.word()]}

    def tool(self, at: str) -> str:
        """Calls a tool."""
        fields = self.tool_fields()
        after = self.add(at, "tool_call", fields)
        self.write(*fields["output_keys"])
        return after

    def ask(self, at: str) -> str:
        """Asks a model."""
        key = self.word()
        prompt = f"System: You are careful.\nUser: {self.read()}\n{self.rng.choice(_SENTENCES)}"
        fields: dict[str, Any] = {"prompt_template": prompt, "llm_tool_name": "llama-default"}
        if self.rng.random() < 0.5:
            fields["llm_params"] = {"temperature": 0.2, "max_tokens": 200}
        after = self.add(at, "dsl_call", {**fields, "output_keys": [key]})
        self.write(key)
        return after

    def code(self, at: str) -> str:
        """Runs code."""
        key = self.word()
        after = self.add(at, "codelet_call", {"runtime": "python3", "code": "n = 1\nprint(n)\n", "output_keys": [key]})
        self.write(key)
        return after

    def check(self, at: str) -> str:
        """Verifies something that is known."""
        if not self.known:
            return self.assign(at)
        name = self.rng.choice(self.known)
        return self.add(at, "assert", {"condition": f"{{{{ length({name}) > 0 }}}}"})

    def call(self, at: str) -> str:
        """Calls the library, once."""
        if self.calls:
            return self.assign(at)
        self.calls = True
        after, key = self.word(), self.word()
        call = f"{CALLED}@v1?amount={self.rng.randint(1, 9)}&factor=2.5"
        references = [call, self.reference(after)]
        self.nodes.append({"id": at, "type": "assign", "assign": {key: self.read()}, "next": references})
        self.write(key, "scaled")
        return after

    def handled(self, at: str) -> str:
        """Calls a tool, and writes something else where that fails."""
        fields, handler, after = self.tool_fields(), self.word(), self.word()
        self.add(at, "tool_call", {**fields, "on_error": self.reference(handler)}, after=after)
        self.add(handler, "assign", {"assign": {fields["output_keys"][0]: []}}, after=after)
        self.write(*fields["output_keys"])
        return after

    def diamond(self, at: str) -> str:
        """A fork, its branches, and their join; sometimes all of them write one more name."""
        branches = [self.word() for _ in range(self.rng.choice((2, 2, 3)))]
        keys, join = [self.word() for _ in branches], self.word()
        paths = [self.reference(branch) for branch in branches]
        self.nodes.append({"id": at, "type": "fork", "fork": {"branches": paths}})
        shared = self.word() if self.rng.random() < 0.5 else None
        for branch, key in zip(branches, keys, strict=True):
            values: dict[str, Any] = {key: self.literal()}
            if shared is not None:
                values[shared] = ["x"]
            self.add(branch, "assign", {"assign": values}, after=join)
        fields: dict[str, Any] = {"wait_for": paths}
        if shared is not None:
            fields["merge_strategy"] = self.rng.choice(("deep_merge", "array_concat"))
        after = self.add(join, "join", {"join": fields})
        self.write(*keys, *([shared] if shared is not None else []))
        return after

    def generate(self, at: str) -> str:
        """Has a subgraph generated."""
        key = self.word()
        fields = {"prompt_template": f"Plan {self.read()}.", "signature_validation": "warn", "output_keys": [key]}
        after = self.add(at, "generate_subgraph", fields)
        self.write(key)
        return after


def printed(nodes: list[dict[str, Any]], rng: random.Random, style: str) -> str:
    """Nodes as YAML: each in braces, in lines with values in braces, or in lines all the way; or mixed."""
    return "\n".join(
        _printed(node, rng.choice(("braces", "short", "long")) if style == "mixed" else style) for node in nodes
    )


def _printed(node: Mapping[str, Any], style: str) -> str:
    if style == "braces":
        return "  - {" + ", ".join(f"{key}: {_value(key, value)}" for key, value in node.items()) + "}"
    lines: list[str] = []
    for key, value in node.items():
        if style == "long" and isinstance(value, dict) and value:
            lines.append(f"{key}:")
            lines += [f"  {inner}: {_value(inner, item)}" for inner, item in value.items()]
        else:
            lines.append(f"{key}: {_value(key, value)}")
    return "  - " + "\n    ".join(lines)


def _value(key: str, value: Any) -> str:
    """A value in JSON, which YAML reads too; names as they are."""
    if key in ("id", "type", "tool", "runtime", "resource_type", "signature_validation", "merge_strategy"):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_value(name, item)}" for name, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
