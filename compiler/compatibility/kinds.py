"""Every kind of change, once: its code, its level, and the sentence that explains it.

``ADC1`` entries and versions · ``ADC2`` inputs · ``ADC3`` outputs · ``ADC4`` what an entry needs of its host ·
``ADC5`` bodies and texts · ``ADC6`` applications · ``ADC9`` whether the version says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentic_dsl.compiler.compatibility.levels import Level
from agentic_dsl.diagnostics import Code, Severity


@dataclass(frozen=True, slots=True)
class ChangeKind:
    """One kind of change.

    Attributes:
        code: under which formats show it; the severity is that of a change which no version declares.
        level: what it means to callers.
    """

    code: Code
    level: Level


_SEVERITIES = {Level.BREAKING: Severity.ERROR, Level.ADDITIVE: Severity.WARNING, Level.PATCH: Severity.INFO}


def _kind(code: str, name: str, level: Level, summary: str) -> ChangeKind:
    return ChangeKind(Code(code, name, _SEVERITIES[level], summary), level)


_B, _A, _P = Level.BREAKING, Level.ADDITIVE, Level.PATCH

ENTRY_REMOVED = _kind("ADC101", "entry-removed", _B, "A block that could be called is gone.")
ENTRY_ADDED = _kind("ADC102", "entry-added", _A, "There is a block that was not there.")
MAJOR_REPLACED = _kind("ADC103", "major-replaced", _B, "The only major version of a path gave way to another one.")
VERSION_LOWERED = _kind("ADC104", "version-lowered", _B, "A version is lower than it was, or is not stated any more.")
VERSION_RAISED = _kind("ADC105", "version-raised", _P, "A version grew within its major version.")
STABILITY_LOWERED = _kind("ADC106", "stability-lowered", _B, "A stable entry is experimental now.")
STABILITY_RAISED = _kind("ADC107", "stability-raised", _A, "An entry promises more than it did.")
DEPRECATED = _kind("ADC108", "deprecated", _A, "An entry is deprecated now.")
INTERNAL_REMOVED = _kind("ADC109", "internal-removed", _P, "A block outside /lib without a signature is gone.")
INTERNAL_ADDED = _kind("ADC110", "internal-added", _P, "A block outside /lib without a signature is new.")

INPUT_REQUIRED = _kind("ADC201", "required-input-added", _B, "An input that callers do not give must be given.")
INPUT_REMOVED = _kind("ADC202", "input-removed", _B, "An input that callers may give is gone.")
INPUT_NARROWED = _kind("ADC203", "input-narrowed", _B, "An input does not take every value that it took.")
DEFAULT_CHANGED = _kind("ADC204", "default-changed", _B, "An input that is left out means another value, or none.")
INPUT_ADDED = _kind("ADC205", "optional-input-added", _A, "There is an input that may be left out.")
INPUT_OPTIONAL = _kind("ADC206", "input-optional", _A, "An input that had to be given may be left out.")
INPUT_WIDENED = _kind("ADC207", "input-widened", _A, "An input takes every value that it took, and others.")
DEFAULT_STATED = _kind("ADC208", "default-stated", _A, "What an input means that is left out is stated now.")
INPUTS_REORDERED = _kind("ADC209", "inputs-reordered", _P, "The same inputs stand in another order.")

OUTPUT_REMOVED = _kind("ADC301", "output-removed", _B, "An output that callers may read is gone.")
OUTPUT_OPTIONAL = _kind("ADC302", "output-optional", _B, "An output that was always written may be missing.")
OUTPUT_WIDENED = _kind("ADC303", "output-widened", _B, "An output may be a value that it never was.")
NO_RETURN = _kind("ADC304", "may-not-return", _B, "A call that always came back may end the whole run.")
OUTPUT_ADDED = _kind("ADC305", "output-added", _A, "There is an output that was not there.")
OUTPUT_REQUIRED = _kind("ADC306", "output-required", _A, "An output that could be missing is always written.")
OUTPUT_NARROWED = _kind("ADC307", "output-narrowed", _A, "An output is only some of the values that it could be.")
RETURNS = _kind("ADC308", "always-returns", _A, "A call that could end the whole run always comes back.")
SIGNATURE_DROPPED = _kind("ADC309", "signature-dropped", _B, "A contract that was stated is not stated any more.")
SIGNATURE_STATED = _kind(
    "ADC310", "signature-stated", _A, "A contract is stated that was not, and it asks for nothing."
)

NEEDS_MORE = _kind("ADC401", "needs-more", _B, "An entry needs a permission that it did not need.")
NEEDS_LESS = _kind("ADC402", "needs-less", _P, "An entry does without a permission that it needed.")
REQUIREMENT_ADDED = _kind(
    "ADC403", "requirement-added", _B, "A library is required that is not part of the new version."
)
REQUIREMENT_NARROWED = _kind(
    "ADC404",
    "requirement-narrowed",
    _B,
    "A version of a library that did will not do, and the new version brings none.",
)
REQUIREMENT_CHANGED = _kind(
    "ADC405", "requirement-changed", _P, "Requirements changed, and nobody has to bring anything for it."
)
IMPLEMENTATION_DROPPED = _kind(
    "ADC406", "implementation-dropped", _B, "The executor has to implement what was written."
)
IMPLEMENTED = _kind("ADC407", "implemented", _P, "What the executor had to implement is written now.")

BODY_CHANGED = _kind("ADC501", "body-changed", _P, "The nodes of a block changed behind the same contract.")
TEXT_CHANGED = _kind("ADC502", "text-changed", _P, "What is said about an entry or its parameters changed.")
NOTES_CHANGED = _kind("ADC503", "notes-changed", _P, "Keys changed that the language does not know.")

RESOURCE_ADDED = _kind("ADC601", "resource-needed", _B, "An application needs a resource, or more of it, than before.")
RESOURCE_DROPPED = _kind("ADC602", "resource-dropped", _P, "An application needs a resource less, or not any more.")
META_CHANGED = _kind("ADC603", "meta-changed", _P, "What an application says about how it is run changed.")

ALL_KINDS: tuple[ChangeKind, ...] = tuple(value for value in list(globals().values()) if isinstance(value, ChangeKind))
"""The table, in order."""

UNDECLARED = Code(
    "ADC901", "version-says-too-little", Severity.ERROR, "A version grew less than the changes of its entry need."
)
"""The verdict about an entry, shown beside its changes; its severity is that of the worst change."""


def find_change(name: str) -> ChangeKind | None:
    """The kind of a code or name, in any case of letters."""
    wanted = name.strip().lower()
    return next((kind for kind in ALL_KINDS if wanted in {kind.code.code.lower(), kind.code.name}), None)
