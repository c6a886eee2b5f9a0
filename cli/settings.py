"""Settings and where each came from: flag > environment > project file > default.

A project file is ``agentic-dsl.toml``, or ``pyproject.toml`` with a table ``[tool.agentic-dsl]``, in the working folder
or the nearest one above it. Commands read every value that is not a flag through `Settings.value`.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

from agentic_dsl.compiler.dialects import DIALECTS, Dialect
from agentic_dsl.compiler.library_names import BUILTIN, BUILTIN_FOLDER
from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.engines.registry import ENGINES, EngineName

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

PREFIX = "AGENTIC_DSL_"
"""Environment variables of ours begin with this."""

OWN_FILE = "agentic-dsl.toml"
PROJECT_FILE = "pyproject.toml"
TABLE = "agentic-dsl"

TABLES = ("engines", "batch", "lint")
"""Tables of a project file that `agentic_dsl.runtime.config` and `agentic_dsl.cli.lint_settings` read."""

DEFAULT_MODEL = "smollm2"
"""The embedded model, which is also the tokenizer where one is needed and none is named."""


class Format(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"


class CheckMode(StrEnum):
    """How doubtful documents are judged."""

    STRICT = "strict"
    LENIENT = "lenient"


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One value that can be set without a flag.

    Attributes:
        name: the key in a project file; the flag and the environment variable follow from it.
        read: turns what a file or the environment holds into the value; raises ValueError with a reason.
        default: the value where nobody says otherwise.
        doc: one line for ``config show`` and the reference.
    """

    name: str
    read: Callable[[object, Path], T]
    default: T
    doc: str

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.replace("-", "_").upper()


def _text(value: object, _base: Path) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ValueError("a text is needed")


def _integer(value: object, _base: Path) -> int:
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("a whole number is needed")


def _number(value: object, _base: Path) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return float(str(value))
    except ValueError:
        raise ValueError("a number is needed") from None


def _switch(value: object, _base: Path) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and (word := value.strip().lower()) in words:
        return words[word]
    raise ValueError("true or false is needed")


def _choice(choices: type[E]) -> Callable[[object, Path], E]:
    def read(value: object, _base: Path) -> E:
        if isinstance(value, str) and value in list(choices):
            return choices(value)
        raise ValueError(f"one of {', '.join(choices)} is needed")

    return read


def _dialect(value: object, _base: Path) -> Dialect:
    for name in DIALECTS:
        if value == name:
            return name
    raise ValueError(f"one of {', '.join(DIALECTS)} is needed")


def _engine(value: object, _base: Path) -> EngineName:
    for name in ENGINES:
        if value == name:
            return name
    raise ValueError(f"one of {', '.join(ENGINES)} is needed")


def _folder(value: object, base: Path) -> Path:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a path is needed")
    return base / Path(value.strip()).expanduser()


def _folders(value: object, base: Path) -> tuple[Path, ...]:
    if isinstance(value, str):
        value = [part for part in value.split(os.pathsep) if part]
    if not isinstance(value, list):
        raise ValueError("a list of paths is needed")
    return tuple(BUILTIN_FOLDER if item == BUILTIN else _folder(item, base) for item in value)


FORMAT = Setting("format", _choice(Format), Format.TEXT, "how results are printed: text or json")
QUIET = Setting("quiet", _switch, False, "print results only, no notes and no progress")
MODE = Setting("mode", _choice(CheckMode), CheckMode.STRICT, "how doubtful documents are judged: strict or lenient")
LIB: Setting[tuple[Path, ...]] = Setting("lib", _folders, (), "folders or files of library documents, or builtin")
DIALECT: Setting[Dialect] = Setting("dialect", _dialect, next(iter(DIALECTS)), "grammar dialect of compile")
TOKENIZER: Setting[str | None] = Setting("tokenizer", _text, None, "tokenizer that compile counts and builds masks for")
ENGINE: Setting[EngineName | None] = Setting(
    "engine", _engine, None, "engine of generate; the tables [engines.llm] and [batch] say more"
)
MODEL: Setting[str | None] = Setting("model", _text, None, "model of generate: a name, a folder or a hub name")
SEED: Setting[int | None] = Setting("seed", _integer, None, "seed of the sampling, for repeatable runs")
TEMPERATURE: Setting[float | None] = Setting(
    "temperature", _number, None, "sampling temperature; 0 takes the likeliest"
)
PATH: Setting[str | None] = Setting("path", _text, None, "path of the generated block")
MAX_NODES: Setting[int | None] = Setting("max-nodes", _integer, None, "most nodes of an answer")
MIN_NODES: Setting[int | None] = Setting("min-nodes", _integer, None, "fewest nodes of an answer")
MAX_DEPTH: Setting[int | None] = Setting("max-depth", _integer, None, "how deep generation may nest; 0 forbids it")
MAX_OUTPUT_TOKENS: Setting[int | None] = Setting("max-output-tokens", _integer, None, "most tokens of an answer")
MAX_TEXT_CHARS: Setting[int | None] = Setting("max-text-chars", _integer, None, "longest free text, in characters")
TRACE: Setting[Path | None] = Setting(
    "trace", _folder, None, "file to which generate appends a line about each request"
)
CACHED = Setting("cached", _switch, False, "whether generate takes answers from the subgraph cache and keeps new ones")
SKILLS: Setting[tuple[Path, ...]] = Setting("skills", _folders, (), "folders of skills that generate chooses from")
CACHE_DIR: Setting[Path | None] = Setting("cache-dir", _folder, None, "folder of the mask store and the subgraph cache")
MODELS_DIR: Setting[Path | None] = Setting("models-dir", _folder, None, "folder of the embedded models")

SETTINGS: tuple[Setting[Any], ...] = (
    FORMAT,
    QUIET,
    MODE,
    LIB,
    DIALECT,
    TOKENIZER,
    ENGINE,
    MODEL,
    SEED,
    TEMPERATURE,
    PATH,
    MAX_NODES,
    MIN_NODES,
    MAX_DEPTH,
    MAX_OUTPUT_TOKENS,
    MAX_TEXT_CHARS,
    TRACE,
    CACHED,
    SKILLS,
    CACHE_DIR,
    MODELS_DIR,
)
"""Every setting, in the order of ``config show``."""

_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: ``default``, ``environment NAME`` or ``file PATH``."""

    kind: str
    where: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.where}" if self.where else self.kind


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force, each with its origin. Flags are not in it: they are given to `value`.

    Attributes:
        found: name of a setting → what the environment or the project file says.
        tables: of the project file, for whoever reads them (`TABLES`).
        file: the project file.
    """

    found: Mapping[str, tuple[Any, Origin]]
    tables: Mapping[str, Any] = field(default_factory=dict)
    file: str | None = None

    @classmethod
    def load(cls, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
        """Reads the environment and the nearest project file.

        Raises:
            UsageError: a file or variable holds what cannot be used.
        """
        folder = Path.cwd() if folder is None else folder
        environment = os.environ if environment is None else environment
        file, table = _nearest(folder)
        tables = {name: table.pop(name) for name in TABLES if name in table}
        found = {} if file is None else _from_table(table, file)
        for setting in SETTINGS:
            if raw := environment.get(setting.variable, "").strip():
                found[setting.name] = _read(setting, raw, folder, Origin("environment", setting.variable))
        return cls(found, tables, None if file is None else str(file))

    def value(self, setting: Setting[T], flag: T | None = None) -> T:
        """The flag where it was given, else what was found, else the default."""
        if flag is not None and flag != [] and flag != ():
            return flag
        value: T = self.found.get(setting.name, (setting.default, DEFAULT))[0]
        return value

    def origin(self, setting: Setting[Any]) -> Origin:
        """Where the value of a setting without a flag comes from."""
        return self.found[setting.name][1] if setting.name in self.found else DEFAULT


def _from_table(table: Mapping[str, Any], file: Path) -> dict[str, tuple[Any, Origin]]:
    found: dict[str, tuple[Any, Origin]] = {}
    for key, raw in table.items():
        name = key.replace("_", "-")
        if name not in _BY_NAME:
            near = difflib.get_close_matches(name, _BY_NAME, n=1)
            hint = f"write {near[0]}" if near else "run `agentic-dsl config show` to see the settings there are"
            raise UsageError(f'"{key}" in {file} is no setting', help=hint)
        found[name] = _read(_BY_NAME[name], raw, file.parent, Origin("file", str(file)))
    return found


def _nearest(folder: Path) -> tuple[Path | None, dict[str, Any]]:
    """The project file in force and its table; the own file wins over the one of the project."""
    for parent in (folder, *folder.parents):
        own, project = parent / OWN_FILE, parent / PROJECT_FILE
        if own.is_file():
            return own, _toml(own)
        if project.is_file() and isinstance(tools := _toml(project).get("tool"), dict) and TABLE in tools:
            table = tools[TABLE]
            if not isinstance(table, dict):
                raise UsageError(f"tool.{TABLE} in {project} is no table", help=f"write a table [tool.{TABLE}]")
            return project, table
    return None, {}


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise UsageError(f"{file} is not TOML: {exc}", help="correct the file") from exc
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}", help="check the permissions of the file") from exc


def _read(setting: Setting[Any], raw: object, base: Path, origin: Origin) -> tuple[Any, Origin]:
    try:
        return setting.read(raw, base), origin
    except ValueError as exc:
        raise UsageError(
            f'{setting.name} cannot be "{raw}" ({origin}): {exc}', help=f"correct {setting.name}: {setting.doc}"
        ) from exc
