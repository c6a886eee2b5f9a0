"""Which engine runs, and how: one configuration for programs, the command line and services.

A file (TOML or YAML) has a section for each back end, so that switching between them is one line::

    [engines.llm]
    backend = "openai"

    [engines.llm.openai]
    base_urls = ["http://localhost:8000/v1"]

    [engines.llm.transformers]
    dtype = "float32"

    [batch]
    max_batch_size = 16

The options of a section are the arguments of the engine's class, and those of ``batch`` the arguments of `BatchQueue`:
there is no second list. Environment variables win over the file: ``AGENTIC_DSL_ENGINES_LLM_BACKEND``,
``AGENTIC_DSL_ENGINES_LLM_OPENAI_BASE_URLS``, ``AGENTIC_DSL_BATCH_MAX_WAIT``. Texts that are not JSON are taken as they
are, lists may be separated by commas. Keys are never in a file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.call_options import SECRET, checked_options
from agentic_dsl.runtime.engines.base import Engine
from agentic_dsl.runtime.engines.registry import ENGINES, engine_entry

PREFIX = "AGENTIC_DSL_"
"""Environment variables of ours begin with this."""

DEFAULT_BACKEND = next(iter(ENGINES))

_LLM = "engines.llm"

_ADDRESSES = frozenset({"base_url", "base_urls"})
"""Two spellings of one option: where the servers are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """An engine and how its requests are queued; nothing is loaded yet.

    Attributes:
        backend: the engine's name.
        sections: name of an engine → arguments of its class, ``model`` among them.
        batch: arguments of `BatchQueue`; empty where the engine is asked directly.
    """

    backend: str = DEFAULT_BACKEND
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    batch: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> Mapping[str, Any]:
        """The arguments of the chosen engine's class."""
        return self.sections.get(self.backend, {})

    def open(self) -> Engine:
        """Loads the engine, behind a queue where ``batch`` says how.

        Raises:
            UsageError: an option does not exist or has a value of another type.
            EngineError: there is no such engine, or it cannot work.
            ModelError: the model cannot be loaded.
        """
        make: Any = engine_entry(self.backend).engine_class
        engine: Engine = make(**checked_options(make, self.options, f"{_LLM}.{self.backend}"))
        if not self.batch:
            return engine
        from agentic_dsl.runtime.batching.queue import BatchQueue

        return BatchQueue(engine, **checked_options(BatchQueue, self.batch, "batch"))


def load_config(file: Path | str | None = None, environment: Mapping[str, str] | None = None) -> EngineConfig:
    """Reads a configuration.

    Args:
        file: TOML or YAML, by its suffix; in ``pyproject.toml`` the table ``tool.agentic-dsl``. None is no file.
        environment: of the process, where it is None.

    Raises:
        UsageError: the file or a variable cannot be read; the message says where.
    """
    found = {} if file is None else _read(Path(file))
    return config_of(found, os.environ if environment is None else environment, origin=str(file or "environment"))


def config_of(record: Mapping[str, Any], environment: Mapping[str, str], *, origin: str) -> EngineConfig:
    """The configuration in a file's tables, as far as the environment does not say otherwise.

    Args:
        record: tables by name; others than ``engines`` and ``batch`` belong to somebody else.
        environment: variables.
        origin: of the record, for messages.

    Raises:
        UsageError: a table has another shape, names an engine that there is not, or holds a key.
    """
    engines = _table(record, "engines", origin)
    if unknown := engines.keys() - {"llm"}:
        raise UsageError(f"engines.{min(unknown)} in {origin} is no setting", help=f"write [{_LLM}]")
    llm = dict(_table(engines, "llm", origin, _LLM))
    backend = llm.pop("backend", DEFAULT_BACKEND)
    sections = {name: dict(_table(llm, name, origin, f"{_LLM}.{name}")) for name in llm}
    for name, section in sections.items():
        _refuse_key(section, f"{_LLM}.{name}", origin)
    batch = dict(_table(record, "batch", origin))
    said: dict[str, dict[str, Any]] = {}
    for variable, value in environment.items():
        name = variable.removeprefix(PREFIX).lower() if variable.startswith(PREFIX) and value.strip() else ""
        if name == "engines_llm_backend":
            backend = value.strip()
        elif name.startswith("engines_llm_"):
            engine, option = _section_of(name.removeprefix("engines_llm_"), variable)
            said.setdefault(engine, {})[option] = value.strip()
        elif name.startswith("batch_"):
            batch[name.removeprefix("batch_")] = value.strip()
    sections |= {engine: layered(sections.get(engine, {}), options) for engine, options in said.items()}
    if not isinstance(backend, str):
        raise UsageError(f"{_LLM}.backend in {origin} is no text", help=f"name one of: {', '.join(ENGINES)}")
    for name in (backend, *sections):
        engine_entry(name)
    return EngineConfig(backend=backend, sections=sections, batch=batch)


def layered(lower: Mapping[str, Any], higher: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an engine from two sources: those of the higher one replace the same in the lower one.

    ``base_url`` and ``base_urls`` are the same: servers of the lower source are not asked beside those of the higher.
    """
    said = {_plain(name) for name in higher}
    replaced = said | _ADDRESSES if said & _ADDRESSES else said
    return {name: value for name, value in lower.items() if _plain(name) not in replaced} | dict(higher)


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _refuse_key(section: Mapping[str, Any], shown: str, origin: str) -> None:
    if any(_plain(name) == SECRET for name in section):
        raise UsageError(
            f"{shown}.{SECRET} is in {origin}, and keys are not read from files",
            help=f"take it out, and set the environment variable {PREFIX}API_KEY",
        )


def _section_of(name: str, variable: str) -> tuple[str, str]:
    for engine in ENGINES:
        if name.startswith(f"{engine}_"):
            return engine, name.removeprefix(f"{engine}_")
    raise UsageError(
        f"{variable} names no engine", help=f"write {PREFIX}ENGINES_LLM_… with one of: {', '.join(ENGINES)}"
    )


def _table(record: Mapping[str, Any], name: str, origin: str, shown: str = "") -> Mapping[str, Any]:
    table = record.get(name, {})
    if not isinstance(table, Mapping) or not all(isinstance(key, str) for key in table):
        raise UsageError(f"{shown or name} in {origin} is no table", help=f"write a table [{shown or name}]")
    return table


def _read(file: Path) -> Mapping[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as exc:
        raise UsageError(
            f"{file} cannot be read: {exc.strerror}", help="check the file's name and permissions"
        ) from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"{file} is not UTF-8: {exc.reason}", help="save the file as UTF-8") from exc
    record = _yaml(text, file) if file.suffix in (".yaml", ".yml") else _toml(text, file)
    if file.name == "pyproject.toml":
        record = _table(_table(record, "tool", str(file)), "agentic-dsl", str(file), "tool.agentic-dsl")
    return record


def _too_deep(file: Path) -> UsageError:
    return UsageError(f"{file} nests lists or tables too deeply", help="correct the file")


def _toml(text: str, file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as exc:
        raise _too_deep(file) from exc
    except ValueError as exc:  # beside those of the format, numbers with more digits than Python reads
        raise UsageError(f"{file} is not TOML: {exc}", help="correct the file") from exc


_SCALAR_ERRORS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
"""What PyYAML lets through where a scalar has the form of a number or date, or its tag, but is none."""


def _yaml(text: str, file: Path) -> Mapping[str, Any]:
    import yaml

    try:
        record = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        where = getattr(exc, "problem_mark", None)
        line = f" in line {where.line + 1}" if where is not None else ""
        raise UsageError(f"{file} is not YAML{line}: {getattr(exc, 'problem', exc)}", help="correct the file") from exc
    except RecursionError as exc:
        raise _too_deep(file) from exc
    except _SCALAR_ERRORS as exc:
        raise UsageError(
            f"{file} is not YAML: a value is no number or date, though it is written as one", help="put it in quotes"
        ) from exc
    if record is not None and not isinstance(record, dict):
        raise UsageError(f"{file} holds no tables", help="write engines: and batch: at its top")
    return record or {}
