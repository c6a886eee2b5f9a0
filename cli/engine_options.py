"""The options of commands that let a model write: which engine, which model, how it chooses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_dsl.cli import settings as names
from agentic_dsl.cli.findings import printable
from agentic_dsl.cli.output import Output
from agentic_dsl.cli.settings import Settings
from agentic_dsl.cli.skill_findings import note_findings
from agentic_dsl.errors import CacheError, UsageError
from agentic_dsl.runtime.engines.registry import ENGINES, EngineName

if TYPE_CHECKING:
    from agentic_dsl.runtime.config import EngineConfig
    from agentic_dsl.runtime.engines.base import Sampling
    from agentic_dsl.runtime.generation import AgenticLLM
    from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache
    from agentic_dsl.runtime.task_skills import TaskSkills

_PANEL = "Engine options"

_CREATIVE = 0.7
"""The temperature where answers shall differ and nobody names one."""

_CLOSING_BOOST = 5.0
"""Makes random answers end: closing characters are rare among the tokens of a vocabulary."""

_ENGINES = "; ".join(f"{name}: {entry.doc}" for name, entry in ENGINES.items())


def _option(*flags: str, help: str, **more: Any) -> Any:
    return typer.Option(*flags, help=help, rich_help_panel=_PANEL, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """The engine options of one command line; None = not given."""

    engine: Annotated[
        EngineName | None, _option("--engine", help=f"What runs the model; transformers by default. {_ENGINES}.")
    ] = None
    model: Annotated[
        str | None, _option("--model", metavar="M", help="Model: a name, folder or hub name; smollm2 by default.")
    ] = None
    base_url: Annotated[
        list[str] | None,
        _option("--base-url", metavar="URL", help="Server of the engines openai and sglang; repeatable."),
    ] = None
    engine_option: Annotated[
        list[str] | None,
        _option("--engine-option", metavar="NAME=VALUE", help="Any other option of the engine's class; repeatable."),
    ] = None
    seed: Annotated[int | None, _option("--seed", metavar="S", help="Seed, for a repeatable answer.")] = None
    temperature: Annotated[
        float | None,
        _option("--temperature", metavar="T", min=0, help="0 by default: the likeliest; 0.7 with --seed or --n."),
    ] = None
    grammar_only: Annotated[
        bool, _option("--grammar-only", help="Enforce only the grammar, as an engine without our matcher would.")
    ] = False
    no_jump_forward: Annotated[
        bool, _option("--no-jump-forward", help="Let the model choose forced text too, token by token.")
    ] = False

    cached: Annotated[
        bool, _option("--cached", help="Take an answer from the subgraph cache where there is one, and keep new ones.")
    ] = False
    trace: Annotated[
        Path | None, _option("--trace", metavar="FILE", help="Append one line of JSON about each request.")
    ] = None

    skills: Annotated[
        list[Path] | None,
        _option("--skills", metavar="DIR", help="Give the model the skills of this folder that the task needs."),
    ] = None
    skill: Annotated[
        list[str] | None, _option("--skill", metavar="NAME", help="Give it this skill in any case; repeatable.")
    ] = None

    @contextmanager
    def opened(self, settings: Settings, output: Output | None = None) -> Iterator[AgenticLLM]:
        """The model that these options name, until the command is done with it."""
        from agentic_dsl.runtime.folders import cache_folder
        from agentic_dsl.runtime.generation import AgenticLLM
        from agentic_dsl.runtime.observation.calls import Observers
        from agentic_dsl.runtime.observation.skill_uses import SkillUses
        from agentic_dsl.runtime.observation.trace import TraceWriter
        from agentic_dsl.skills.usage import FILE, SkillUsage

        trace = settings.value(names.TRACE, self.trace)
        chosen = self.task_skills(settings, output)
        told = [TraceWriter(trace)] if trace is not None else []
        counting = [SkillUses(SkillUsage(cache_folder() / FILE))] if chosen is not None else []
        observers = Observers.installed(*told, *counting) if told or counting else Observers()
        cache = _subgraph_cache(output) if settings.value(names.CACHED, self.cached or None) else None
        with closing(self.to_config(settings).open()) as engine:
            yield AgenticLLM(engine, subgraph_cache=cache, skills=chosen, observers=observers)

    def task_skills(self, settings: Settings, output: Output | None = None) -> TaskSkills | None:
        """What chooses skills, None where the command line and the settings name no folder and no skill.

        ``output`` is told of skills that cannot be used.
        """
        folders = settings.value(names.SKILLS, None if self.skills is None else tuple(self.skills))
        if not folders and not self.skill:
            return None
        from agentic_dsl.runtime.task_skills import TaskSkills
        from agentic_dsl.skills.detector import SkillDetector
        from agentic_dsl.skills.folders import default_roots
        from agentic_dsl.skills.registry import SkillRegistry

        registry = SkillRegistry.load(folders or default_roots())
        if output is not None:
            note_findings(registry, output)
        return TaskSkills(SkillDetector(registry), explicit=tuple(self.skill or ()))

    def to_config(self, settings: Settings) -> EngineConfig:
        """The engine that flags, environment and project file together mean.

        Raises:
            UsageError: an option cannot be read.
        """
        from agentic_dsl.runtime.config import config_of, layered

        config = config_of(settings.tables, os.environ, origin=settings.file or "the project file")
        backend = settings.value(names.ENGINE, self.engine) or config.backend
        options = layered(config.sections.get(backend, {}), self._given(settings))
        if backend == "random":
            options.setdefault("closing_boost", _CLOSING_BOOST)
        return replace(config, backend=backend, sections={**config.sections, backend: options})

    def _given(self, settings: Settings) -> dict[str, Any]:
        """What is said outside the section of the engine."""
        given: dict[str, Any] = {
            "model": settings.value(names.MODEL, self.model),
            "base_urls": self.base_url or None,
            "semantic": False if self.grammar_only else None,
            "jump_forward": False if self.no_jump_forward else None,
        }
        for item in self.engine_option or ():
            name, sign, value = item.partition("=")
            if not sign or not name:
                raise UsageError(f'--engine-option "{item}" has no "="', help="write NAME=VALUE")
            given[name.replace("-", "_")] = value
        return {name: value for name, value in given.items() if value is not None}

    def sampling(self, settings: Settings, count: int) -> Sampling:
        """How tokens are chosen for this many answers."""
        from agentic_dsl.runtime.engines.base import Sampling

        seed = settings.value(names.SEED, self.seed)
        temperature = settings.value(names.TEMPERATURE, self.temperature)
        if temperature is None:
            temperature = 0.0 if seed is None and count == 1 else _CREATIVE
        return Sampling(temperature=temperature, seed=seed)


def _subgraph_cache(output: Output | None) -> SqliteSubgraphCache | None:
    """The subgraph cache of this user; None where it cannot be used, which ``output`` is told: it costs only hits."""
    from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache

    try:
        return SqliteSubgraphCache()
    except CacheError as exc:
        if output is not None:
            output.note(f"{printable(exc.message)}; going on without it\nhelp: {exc.help}")
        return None
