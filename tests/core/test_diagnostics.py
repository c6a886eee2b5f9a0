"""Findings and their table."""

import json
import pickle
import re

import pytest

from agentic_dsl import codes, errors
from agentic_dsl.diagnostics import Code, Severity, in_order
from agentic_dsl.errors import AgenticDSLError, GenerationError, MissingExtraError
from agentic_dsl.span import Source, Span

STANDARD_NAMES = {
    "ERR_MISSING_ENTRY_POINT",
    "ERR_NAMESPACE_VIOLATION",
    "ERR_NAMESPACE_DISABLED",
    "ERR_CTX_MERGE_CONFLICT",
    "ERR_RESOURCE_UNAVAILABLE",
    "ERR_UNSUPPORTED_CAPABILITY",
    "ERR_SIGNATURE_VIOLATION",
    "ERR_SIGNATURE_REQUIRED",
    "ERR_BUDGET_EXCEEDED",
}


def test_every_code_and_every_name_is_there_once() -> None:
    assert len({code.code for code in codes.ALL_CODES}) == len(codes.ALL_CODES)
    assert len({code.name for code in codes.ALL_CODES}) == len(codes.ALL_CODES)


@pytest.mark.parametrize("code", codes.ALL_CODES, ids=lambda code: code.code)
def test_a_code_is_well_formed(code: Code) -> None:
    assert re.fullmatch(r"ADL[0-9]{3}", code.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code.name)
    assert code.summary.endswith(".")
    assert code.standard is None or code.standard in STANDARD_NAMES


def test_every_standard_error_name_of_the_language_has_a_code() -> None:
    assert {code.standard for code in codes.ALL_CODES} - {None} == STANDARD_NAMES


def test_a_record_has_one_based_lines_and_columns_with_an_exclusive_end() -> None:
    source = Source("one\ntwo three\n")
    finding = codes.CYCLE.at(Span(4, 7), 'node "two" waits for itself', help="drop it")
    assert json.loads(json.dumps(finding.record(source))) == {
        "code": "ADL203",
        "severity": "error",
        "message": 'node "two" waits for itself',
        "help": "drop it",
        "standard": None,
        "line": 2,
        "column": 1,
        "end_line": 2,
        "end_column": 4,
    }


def test_a_finding_carries_the_standard_name_and_severity_of_its_code() -> None:
    finding = codes.TOO_MANY_NODES.at(Span(0, 1), "too many")
    assert (finding.code, finding.standard, finding.is_error) == ("ADL504", "ERR_BUDGET_EXCEEDED", True)
    softer = codes.TOO_MANY_NODES.at(Span(0, 1), "too many", severity=Severity.WARNING)
    assert not softer.is_error


def test_findings_are_ordered_by_place_and_the_same_finding_is_there_once() -> None:
    late = codes.CYCLE.at(Span(9, 10), "b")
    early = codes.DANGLING.at(Span(1, 2), "a")
    assert in_order([late, early, late]) == (early, late)


def _all_errors(cls: type[AgenticDSLError]) -> list[type[AgenticDSLError]]:
    return [cls, *(found for sub in cls.__subclasses__() for found in _all_errors(sub))]


OURS = [cls for cls in _all_errors(AgenticDSLError) if cls.__module__ == errors.__name__]


@pytest.mark.parametrize("cls", OURS, ids=lambda cls: cls.__name__)
def test_an_error_survives_pickling(cls: type[AgenticDSLError]) -> None:
    error = pickle.loads(pickle.dumps(cls("it broke", help="mend it")))
    assert type(error) is cls
    assert (error.message, error.help, str(error)) == ("it broke", "mend it", "it broke (help: mend it)")


def test_each_kind_of_error_has_a_machine_name_of_its_own() -> None:
    assert len({cls.code for cls in OURS}) == len(OURS)


def test_an_error_without_help_is_its_message() -> None:
    assert str(GenerationError("no")) == "no"


def test_the_error_for_a_missing_package_says_how_to_install_it() -> None:
    error = MissingExtraError.of("xgrammar", "masks")
    assert "xgrammar" in error.message
    assert "agentic-dsl[masks]" in (error.help or "")
