"""The exceptions of the toolkit, all under one base class.

A mistake in a user's document is never an exception: it is a `Diagnostic`. What raises is misuse of the API,
settings that cannot be met, and failures of the engines and files around us::

    AgenticDSLError
    ├── ConstraintError      the constraints contradict each other or cannot be compiled
    ├── TokenizerError       a tokenizer cannot be loaded or used
    ├── ModelError           a model is missing, damaged or cannot be loaded
    ├── CacheError           a cache folder cannot be used at all (a damaged entry is only a miss)
    ├── EngineError          an engine failed, or was asked for what it cannot do
    │   └── GenerationError  one request failed; others in its batch are not affected
    ├── MissingExtraError    an optional dependency is not installed
    └── UsageError           a file or option given by the user cannot be used
"""

from __future__ import annotations


class AgenticDSLError(Exception):
    """Base of every exception that the toolkit raises.

    Attributes:
        message: one sentence that names the offender.
        help: one imperative sentence that says what to do, or None.
        code: a stable machine name, printed by ``--format json``.
    """

    code = "error"

    def __init__(self, message: str, *, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore, (type(self), self.message, self.help))

    def __str__(self) -> str:
        return f"{self.message} (help: {self.help})" if self.help else self.message


def _restore(cls: type[AgenticDSLError], message: str, help_: str | None) -> AgenticDSLError:
    """Rebuilds an error on the other side of a process border."""
    return cls(message, help=help_)


class ConstraintError(AgenticDSLError):
    """The constraints contradict each other or cannot be compiled."""

    code = "constraints"


class TokenizerError(AgenticDSLError):
    """A tokenizer cannot be loaded or used."""

    code = "tokenizer"


class ModelError(AgenticDSLError):
    """A model is missing, damaged or cannot be loaded."""

    code = "model"


class CacheError(AgenticDSLError):
    """A cache folder cannot be used at all."""

    code = "cache"


class EngineError(AgenticDSLError):
    """An engine failed, or was asked for what it cannot do."""

    code = "engine"


class GenerationError(EngineError):
    """One request failed; the others of its batch are not affected."""

    code = "generation"


class MissingExtraError(AgenticDSLError):
    """An optional dependency is not installed."""

    code = "missing_extra"

    @classmethod
    def of(cls, package: str, extra: str) -> MissingExtraError:
        """The error for ``package``, which the extra ``extra`` brings."""
        return cls(
            f'the package "{package}" is not installed',
            help=f"install it with: pip install 'agentic-dsl[{extra}]'",
        )

    @classmethod
    def beside(cls, engine: str) -> MissingExtraError:
        """The error for an engine that people install by themselves, with us beside it."""
        return cls(
            f"{engine} is not installed",
            help=f"install {engine}, then beside it: pip install 'agentic-dsl[plugin]'",
        )


class UsageError(AgenticDSLError):
    """A file or option given by the user cannot be used."""

    code = "usage"
