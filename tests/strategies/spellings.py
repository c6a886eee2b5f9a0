"""Documents as text in every accepted spelling (``language.md`` §1, §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

from agentic_dsl.ast import Block, Document, Opaque, Subgraph
from agentic_dsl.canonical import block_data
from agentic_dsl.node_table import DEPRECATED_TYPES, NODE_TABLE
from tests.strategies.trees import documents
from tests.strategies.yaml_styles import Painter


class Spelled(NamedTuple):
    """A text, and the document that it means."""

    text: str
    document: Document


@st.composite
def spelled_documents(draw: st.DrawFn) -> Spelled:
    """Any document in any spelling."""
    document = draw(documents())
    speller = _Speller(draw)
    parts: list[str] = []
    for block in document.blocks:
        parts += (block.prose, speller.block(block))
    text = ("\n" * speller.pick(1, 2, 3)).join([*filter(None, parts), document.epilogue])
    return Spelled(text.replace("\n", speller.pick("\n", "\n", "\r\n")), document)


_OLD_TYPES = {new: (old, implied) for old, (new, implied) in DEPRECATED_TYPES.items()}
_REFERENCE_KEYS = ("next", "branches", "wait_for", "on_error", "on_failure", "on_signature_violation")


class _Speller(Painter):
    """Chooses a spelling for each block; all choices are drawn."""

    def block(self, block: Block) -> str:
        assert not isinstance(block, Opaque)
        before = self.pick("", "Step 1: ", "The ")
        mark = self.pick("`", "'")
        note = f" {block.heading_note}" if block.heading_note else ""
        heading = f"{'#' * self.pick(1, 2, 3, 6)} {before}AgenticDSL {mark}{block.path}{mark}{note}"
        fence = self.pick("```", "```", "~~~", "````")
        info = self.pick("yaml", "yml", "agentic", "", "YAML")
        body = "\n".join(self.body(self.keys(block)))
        if self.pick(True, False):
            body = f"# --- BEGIN AgenticDSL ---\n{body}\n# --- END AgenticDSL ---"
        return "\n".join((heading, *[""] * self.pick(0, 0, 1, 2), f"{fence}{info}", body, fence))

    # -- keys --

    def keys(self, block: Any) -> Mapping[str, Any]:
        data: dict[str, Any] = dict(block_data(block))
        if isinstance(block, Subgraph):
            if block.single:
                data = self.node(data)
            else:
                ids = [node.id for node in block.nodes]
                names = {block.node_path(name): name for name in ids if ids.count(name) == 1}
                data["nodes"] = [self.node(self.short(node, block, names)) for node in data["nodes"]]
        if isinstance(data.get("signature"), Mapping) and self.pick(True, False):
            inside = {key: data.pop(key) for key in ("version", "stability") if key in data}
            data["signature"] = {**data["signature"], **inside}
        if isinstance(requires := data.get("requires"), list) and self.pick(True, False):
            data["requires"] = [entry["lib"] for entry in requires]
        self.unlist(data, "permissions", "requires")
        return self.shuffled(data)

    def node(self, data: dict[str, Any]) -> dict[str, Any]:
        data = dict(data)
        old = _OLD_TYPES.get(data.get("type", ""))
        if old is not None and self.pick(True, False):
            name, implied = old
            if all(data.get(key) == value for key, value in implied.items()):
                data = {key: value for key, value in data.items() if key not in implied} | {"type": name}
        for holder, key in (("fork", "branches"), ("join", "wait_for"), ("join", "merge_strategy")):
            inner = data.get(holder)
            if data.get("type") == holder and isinstance(inner, Mapping) and key in inner and self.pick(True, False):
                data[key] = inner[key]
                data[holder] = {k: v for k, v in inner.items() if k != key}
        if data.get("type") == "end" and "termination_mode" in data.get("metadata", {}) and self.pick(True, False):
            data["termination_mode"] = data["metadata"]["termination_mode"]
            data["metadata"] = {k: v for k, v in data["metadata"].items() if k != "termination_mode"}
        if data.get("condition") == "{{ x }}":
            data["condition"] = self.pick("x", " x ", "{{ x }}")
        if isinstance(waiting := data.get("wait_for"), list) and self.pick(True, False):
            data["wait_for"] = {"all_of": waiting}
        if isinstance(branches := data.get("branches"), list) and self.pick(True, False):
            data["branches"] = [{"path": branch} for branch in branches]
        self.unlist(data, "output_keys", "next", "branches", "permissions")
        if self.pick(*[False] * 5, True):
            absent = [f.path[0] for f in _fields(data) if f.path[0] not in data and len(f.path) == 1 and not f.required]
            data |= {key: None for key in absent[:2] if key != "id"}
        return dict(self.shuffled(data))

    def short(self, node: Any, block: Subgraph, names: Mapping[str, str]) -> dict[str, Any]:
        """References within the block by id or ``/self/…``."""

        def shorten(value: Any) -> Any:
            if isinstance(value, list):
                return [shorten(item) for item in value]
            if isinstance(value, str) and value in names:
                return self.pick(value, names[value], f"/self/{names[value]}")
            return value

        short = dict(node)
        for key in _REFERENCE_KEYS:
            if key in short:
                short[key] = shorten(short[key])
        for holder in ("fork", "join"):
            if node.get("type") == holder and isinstance(short.get(holder), Mapping):
                short[holder] = {
                    key: shorten(value) if key in _REFERENCE_KEYS else value for key, value in short[holder].items()
                }
        return short

    def unlist(self, data: dict[str, Any], *keys: str) -> None:
        """A list of one item may be the item."""
        for key in keys:
            value = data.get(key)
            if isinstance(value, list) and len(value) == 1 and self.pick(True, False):
                data[key] = value[0]

    def shuffled(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        keys = self.draw(st.permutations(list(data))) if self.pick(True, False) else list(data)
        return {key: data[key] for key in keys}


def _fields(data: Mapping[str, Any]) -> tuple[Any, ...]:
    spec = NODE_TABLE.get(data.get("type", ""))
    return spec.fields if spec is not None else ()
