"""`Constraints`: the whole contract of one generation, and what caches hash."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agentic_dsl.errors import ConstraintError
from agentic_dsl.node_table import GENERATED_TYPES
from agentic_dsl.paths import SEGMENT, SYSTEM_TARGETS, Path
from agentic_dsl.signature import TYPE_ALIASES, TYPE_NAMES

if TYPE_CHECKING:
    from agentic_dsl.ast import Document

MAX_NODES = 10_000
"""The largest ``max_nodes``; larger documents are refused everywhere."""

MAX_TOOLS = 10_000
"""The largest tool catalogue."""

MAX_DEFAULT_NODES = 20
"""``max_nodes`` where nobody says otherwise."""

_TOOL_FACTS = ("description", "parameters", "returns")

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A context name that a template can read."""


_NESTED: ContextVar[bool] = ContextVar("nested", default=False)
"""Whether the model being validated is a field of another one."""


class _Model(BaseModel):
    """Frozen, strict about unknown keys, and failing with an error of ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _fail_with_our_error(cls, data: Any, handler: Callable[[Any], Self]) -> Self:
        nested = _NESTED.get()
        token = _NESTED.set(True)
        try:
            made = handler(data)
            made._require_consistency()
            return made
        except ValueError as exc:
            if nested:
                raise  # the model around this one adds where it stands, and converts the error
            raise _constraint_error(cls.__name__, exc) from exc
        finally:
            _NESTED.reset(token)

    def _require_consistency(self) -> None:
        """Raises ValueError where fields contradict each other; a validator of a subclass would run too late."""


def _constraint_error(model: str, error: ValueError) -> ConstraintError:
    """All findings in one sentence each, pydantic's with the field first."""
    lines = [str(error)]
    if isinstance(error, ValidationError):
        lines = []
        for finding in error.errors(include_url=False, include_context=False):
            where = ".".join(str(part) for part in finding["loc"]) or model
            lines.append(f"{where}: {finding['msg'].removeprefix('Value error, ')}")
    return ConstraintError("; ".join(lines), help=f"see `agentic-dsl schema` for the fields of {model}")


class ToolSpec(_Model):
    """One tool that a generated node may call.

    Attributes:
        name: as the runtime knows it.
        description: for the prompt; never parsed.
        parameters: JSON Schema of the arguments, an object schema; ``{}`` takes none.
        returns: JSON Schema of the result, ``{}`` when unknown.
    """

    name: Annotated[str, Field(min_length=1, max_length=256)]
    description: str = ""
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    returns: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _printable(cls, name: str) -> str:
        if not name.isprintable() or name != name.strip() or any(mark in name for mark in ("{{", "{%", "{#")):
            raise ValueError(f"the tool name {name!r} holds characters that break the layout")
        return name


class LibrarySpec(_Model):
    """One ``/lib`` entry that generated text may call.

    Attributes:
        path: the library path, without a version.
        signature: its one-line signature.
        version: printed as ``@v<version>`` in every call; None prints none.
        description: for the prompt.
    """

    path: str
    signature: str = "() -> ()"
    version: str | None = None
    description: str = ""

    @field_validator("path")
    @classmethod
    def _library_path(cls, path: str) -> str:
        if not (parsed := _path(path)).is_library:
            raise ValueError(f'"{path}" is not a path under /lib')
        return str(parsed)

    @field_validator("version")
    @classmethod
    def _version(cls, version: str | None) -> str | None:
        if version is not None and not re.fullmatch(r"[0-9]+(\.[0-9]+){0,2}", version):
            raise ValueError(f'"{version}" is not a version such as 1 or 1.2.0')
        return version

    @property
    def reference(self) -> str:
        """The reference that calls the entry, without a query."""
        return f"{self.path}@v{self.version}" if self.version else self.path


class ContextSignature(_Model):
    """What the context holds when the subgraph starts, and what it must hold when it ends.

    Attributes:
        available_vars: name → type name (see `agentic_dsl.signature.TYPE_NAMES`); a list of names means ``any``.
        required_outputs: names that are available at every end.
    """

    available_vars: Mapping[str, str] = Field(default_factory=dict)
    required_outputs: tuple[str, ...] = ()

    @field_validator("available_vars", mode="before")
    @classmethod
    def _names_alone(cls, value: Any) -> Any:
        return dict.fromkeys(value, "any") if isinstance(value, list | tuple | set | frozenset) else value

    @field_validator("available_vars")
    @classmethod
    def _known_types(cls, variables: Mapping[str, str]) -> Mapping[str, str]:
        return {name: _type_name(text) for name, text in variables.items()}

    def _require_consistency(self) -> None:
        for name in (*self.available_vars, *self.required_outputs):
            if not KEY.fullmatch(name):
                raise ValueError(f'"{name}" is not a name that a template can read')


class LibraryEntries(Protocol):
    """What `Constraints.from_document` needs of a library."""

    def specs(self) -> tuple[LibrarySpec, ...]:
        """The entries that may be called."""
        ...


class Constraints(_Model):
    """What one answer of a model must be. See the table in ``docs/constraints.md`` for each field."""

    path: str = "/dynamic/plan"
    signature: str | None = None
    max_nodes: Annotated[int, Field(ge=1, le=MAX_NODES)] = MAX_DEFAULT_NODES
    min_nodes: Annotated[int, Field(ge=1, le=MAX_NODES)] = 1
    max_subgraphs: Annotated[int, Field(ge=1, le=MAX_NODES)] = 1
    allowed_node_types: tuple[str, ...] | None = None
    tools: tuple[ToolSpec, ...] | None = None
    libraries: tuple[LibrarySpec, ...] = ()
    targets: tuple[str, ...] = ()
    context: ContextSignature | None = None
    permissions: tuple[str, ...] = ()
    max_subgraph_depth: Annotated[int, Field(ge=0)] = 1
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    max_text_chars: Annotated[int, Field(ge=1)] = 400
    max_identifier_chars: Annotated[int, Field(ge=1)] = 32
    allow_free_text: bool = False

    @field_validator("path")
    @classmethod
    def _writable_path(cls, path: str) -> str:
        parsed = _path(path)
        if not (parsed.under("dynamic") or parsed.is_library) or len(parsed.segments) < 2:
            raise ValueError(
                f'generation may not write "{path}": use a path below /dynamic/, or below /lib/ for a library'
            )
        return str(parsed)

    @field_validator("allowed_node_types")
    @classmethod
    def _known_types(cls, types: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if types is None:
            return None
        if unknown := [name for name in types if name not in GENERATED_TYPES]:
            raise ValueError(f'"{unknown[0]}" is no type of generated nodes; there are: {", ".join(GENERATED_TYPES)}')
        if not types:
            raise ValueError("no node type is allowed")
        return tuple(name for name in GENERATED_TYPES if name in types)

    @field_validator("tools")
    @classmethod
    def _sane_catalogue(cls, tools: tuple[ToolSpec, ...] | None) -> tuple[ToolSpec, ...] | None:
        if tools is None:
            return None
        if len(tools) > MAX_TOOLS:
            raise ValueError(f"{len(tools):,} tools are more than the limit of {MAX_TOOLS:,}")
        if double := _first_double([tool.name for tool in tools]):
            raise ValueError(f'the tool "{double}" is declared twice')
        return tools

    @field_validator("targets")
    @classmethod
    def _target_paths(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        for target in targets:
            if target not in SYSTEM_TARGETS:
                _path(target)
        return targets

    def _require_consistency(self) -> None:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"min_nodes is {self.min_nodes}, more than max_nodes, which is {self.max_nodes}")
        if double := _first_double([library.reference for library in self.libraries]):
            raise ValueError(f'the library "{double}" is declared twice')

    @classmethod
    def from_document(
        cls, document: Document, *, library: LibraryEntries | None = None, **overrides: Any
    ) -> Constraints:
        """The constraints that a document implies for what is generated into it.

        ``/__meta__`` gives the budget, ``/__meta__/resources`` the tools and the depth, ``library`` the entries
        that may be called. ``overrides`` are fields of `Constraints` and win.

        Raises:
            ConstraintError: the result contradicts itself.
        """
        implied: dict[str, Any] = {}
        if document.meta:
            budget = document.meta.execution_budget
            if budget.max_nodes >= 0:
                written = sum(len(subgraph.nodes) for subgraph in document.subgraphs)
                left = budget.max_nodes - written
                if left < 1 and "max_nodes" not in overrides:
                    raise ConstraintError(
                        f"the document has {written} nodes, its budget is {budget.max_nodes}: none is left to generate",
                        help="raise execution_budget.max_nodes in /__meta__",
                    )
                implied["max_nodes"] = min(max(left, 1), MAX_DEFAULT_NODES)
            if budget.max_subgraph_depth >= 0:
                implied["max_subgraph_depth"] = budget.max_subgraph_depth
        if document.resources:
            tools = []
            for entry in document.resources.entries:
                if entry.type == "tool" and entry.name:
                    known = {key: entry.options[key] for key in _TOOL_FACTS if entry.options.get(key)}
                    tools.append(ToolSpec(name=entry.name, **known))  # type: ignore[arg-type]  # pydantic checks
                elif entry.type == "generate_subgraph":
                    depth = entry.options.get("max_depth")
                    if isinstance(depth, int) and depth >= 0:  # -1 is no limit, as in a budget
                        implied["max_subgraph_depth"] = min(depth, implied.get("max_subgraph_depth", depth))
            implied["tools"] = tuple(tools)
        if library is not None:
            implied["libraries"] = library.specs()
        return cls(**(implied | overrides))

    @cached_property
    def canonical_json(self) -> str:
        """The contract as JSON in ASCII on one line, the same text for contracts that allow the same documents.

        The properties of schemas keep their order, in which arguments are generated.
        """
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of `canonical_json`, in hex."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()

    @property
    def block_path(self) -> Path:
        """`path`, parsed."""
        return _path(self.path)


def _path(text: str) -> Path:
    segments = tuple(text.removeprefix("/").split("/"))
    if not text.startswith("/") or not all(SEGMENT.fullmatch(s) for s in segments):
        raise ValueError(f'"{text}" is not a path: write /segments of letters, digits, _ and -')
    return Path(segments)


def _type_name(text: str) -> str:
    """The name of a type without aliases: ``str`` is ``string``, ``list<int>`` is ``array<integer>``."""
    name, opened, rest = text.strip().partition("<")
    name = TYPE_ALIASES.get(name.strip(), name.strip())
    if name not in TYPE_NAMES or (opened and (name != "array" or not rest.endswith(">"))):
        raise ValueError(f'"{text}" is no type; there are: {", ".join(TYPE_NAMES)}, array<type>')
    return f"{name}<{_type_name(rest[:-1])}>" if opened else name


def _first_double(names: list[str]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]  # set.add
