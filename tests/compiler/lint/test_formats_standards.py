"""What lint prints for other programs, held to the standards that those programs read.

The schemas stand in ``tests/fixtures``, with where they come from.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest

from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.finding import FileReport
from agentic_dsl.compiler.lint.formats.gitlab import gitlab
from agentic_dsl.compiler.lint.formats.junit import junit
from agentic_dsl.compiler.lint.formats.report_paths import report_path, report_uri
from agentic_dsl.compiler.lint.formats.sarif import sarif
from agentic_dsl.compiler.lint.project import Project
from agentic_dsl.compiler.lint.registry import BY_CODE, RULES
from agentic_dsl.compiler.lint.report import judged
from agentic_dsl.compiler.lint.shown import lint_example

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SCHEMA = json.loads((FIXTURES / "sarif" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
XSD = ElementTree.parse(FIXTURES / "junit" / "junit-10.xsd").getroot()

RELATIVE = subgraph("- {id: work, type: assign, assign: {y: 1}, next: [done]}\n- {id: done, type: end}")
BAD_NAMES = ("plain.md", "./dotted.md", "../above.md", "a b,c#d?e:f.md", "größe/🧪.md", b"\xff\xfe.md", "-")


def _report(name: str, text: str) -> FileReport:
    (linted,) = Project({name: text.encode()}).lint().values()
    return FileReport(name, linted.source, judged(linted))


@cache
def _reports() -> tuple[FileReport, ...]:
    """The bad example of every rule, each as a file."""
    found = []
    for rule in RULES:
        linted = lint_example(rule.bad)
        found.append(FileReport(f"rules/{rule.code}.md", linted.source, judged(linted)))
    return tuple(found)


@cache
def _log() -> dict[str, Any]:
    log: dict[str, Any] = json.loads(sarif(_reports(), version="0.1.0"))
    return log


def _places() -> Iterator[tuple[FileReport, dict[str, int]]]:
    """Every region of the log with the file that it is in."""
    (run,) = _log()["runs"]
    for result in run["results"]:
        (location,) = result["locations"]
        place = location["physicalLocation"]
        yield _reports()[place["artifactLocation"]["index"]], place["region"]
        for fix in result.get("fixes", ()):
            for change in fix["artifactChanges"]:
                for replacement in change["replacements"]:
                    yield _reports()[change["artifactLocation"]["index"]], replacement["deletedRegion"]


def test_the_schema_is_the_one_of_the_standard() -> None:
    assert SCHEMA["title"].startswith("Static Analysis Results Format (SARIF) Version 2.1.0 JSON")
    assert urlsplit(SCHEMA["$id"]).path.endswith("/sarif-spec/master/Schemata/sarif-schema-2.1.0.json")
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_the_schema_refuses_what_is_no_log() -> None:
    validator = jsonschema.Draft7Validator(SCHEMA)
    assert not validator.is_valid({"version": "2.1.0"})
    broken = json.loads(json.dumps(_log()))
    broken["runs"][0]["results"][0]["level"] = "info"
    assert not validator.is_valid(broken)


def test_the_log_of_the_examples_of_all_rules_is_valid_sarif() -> None:
    errors = list(jsonschema.Draft7Validator(SCHEMA).iter_errors(_log()))
    assert [f"{error.json_path}: {error.message}" for error in errors[:5]] == []
    (run,) = _log()["runs"]
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == set(BY_CODE)
    assert {result["ruleId"] for result in run["results"]} == set(BY_CODE)


def test_a_log_of_clean_files_and_of_none_is_valid_sarif() -> None:
    clean = FileReport("x.md", _reports()[0].source, ())
    for reports, version in (((), None), ((clean,), "0.1.0")):
        log = json.loads(sarif(reports, version=version))
        assert jsonschema.Draft7Validator(SCHEMA).is_valid(log)
        assert log["runs"][0]["results"] == []


def test_every_region_is_inside_its_file_and_not_backwards() -> None:
    for report, region in _places():
        lines = re.split(r"\r\n|\r|\n", report.source.text)
        start, end = ((region[f"{side}Line"], region[f"{side}Column"]) for side in ("start", "end"))
        assert start <= end
        for line, column in (start, end):
            assert 1 <= line <= len(lines)
            assert 1 <= column <= len(lines[line - 1]) + 2, (report.path, region)  # past the line, and past its end


def test_the_fixes_of_the_log_are_those_that_lint_makes() -> None:
    (run,) = _log()["runs"]
    fixed = {result["ruleId"] for result in run["results"] if "fixes" in result}
    assert fixed == {f.diagnostic.code for report in _reports() for f in report.findings if f.fix is not None}
    assert {rule.code for rule in RULES if rule.fixable} <= fixed


def _applied(text: str, replacements: list[dict[str, Any]]) -> str:
    """A text with replacements made by line and column alone, as an editor makes them."""
    starts = [0] + [match.end() for match in re.finditer(r"\n", text)]

    def offset(region: dict[str, int], side: str) -> int:
        return starts[region[f"{side}Line"] - 1] + region[f"{side}Column"] - 1

    for replacement in sorted(replacements, key=lambda r: -offset(r["deletedRegion"], "start")):
        region = replacement["deletedRegion"]
        text = text[: offset(region, "start")] + replacement["insertedContent"]["text"] + text[offset(region, "end") :]
    return text


@pytest.mark.parametrize("before", ["", "🧪 ", "e\u0301🏳️‍🌈 ", "中文"])
def test_columns_count_code_points_whatever_stands_before(before: str) -> None:
    text = RELATIVE.replace("assign: {y: 1}", f'assign: {{y: "{before}"}}')
    log = json.loads(sarif([_report("x.md", text)], version=None))
    assert jsonschema.Draft7Validator(SCHEMA).is_valid(log)
    (run,) = log["runs"]
    (result,) = (result for result in run["results"] if result["ruleId"] == "ADL914")
    region = result["locations"][0]["physicalLocation"]["region"]
    assert run["columnKind"] == "unicodeCodePoints"
    line = text.split("\n")[region["startLine"] - 1]
    assert line[region["startColumn"] - 1 : region["endColumn"] - 1] == "done"
    (change,) = result["fixes"][0]["artifactChanges"]
    assert _applied(text, change["replacements"]) == text.replace("[done]", '["/main/p/done"]')


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_artifacts_are_relative_references_that_lead_back_to_the_file(name: str | bytes) -> None:
    path = name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")
    (artifact,) = json.loads(sarif([_report(path, RELATIVE)], version=None))["runs"][0]["artifacts"]
    uri = artifact["location"]["uri"]
    parts = urlsplit(uri)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert uri.isascii()
    assert unquote(uri, errors="surrogateescape") == path.removeprefix("./")


def test_a_file_below_the_working_folder_is_relative_and_one_elsewhere_has_its_scheme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    inside, outside = str(Path.cwd() / "lib" / "a b.md"), str(Path.cwd().parent / "workshop" / "b.md")
    assert (report_path(inside), report_uri(inside)) == ("lib/a b.md", "lib/a%20b.md")
    assert (report_path(outside), report_uri(outside)) == (outside, Path(outside).as_uri())


def _xsd(element: str) -> tuple[set[str], set[str], set[str]]:
    """What the schema of JUnit reports allows of an element: attributes, those that are required, children."""
    space = {"xs": "http://www.w3.org/2001/XMLSchema"}
    (found,) = XSD.findall(f"xs:element[@name='{element}']", space)
    attributes = found.findall(".//xs:attribute", space)
    children = {str(child.get("ref")) for child in found.findall(".//xs:element", space)}
    required = {str(a.get("name")) for a in attributes if a.get("use") == "required"}
    return {str(a.get("name")) for a in attributes}, required, children


def _check_by_xsd(element: ElementTree.Element) -> None:
    attributes, required, children = _xsd(element.tag)
    given = set(element.keys())
    assert required <= given <= attributes, (element.tag, given)
    for child in element:
        assert child.tag in children
        _check_by_xsd(child)
    if children:
        assert not (element.text or "").strip()


def test_junit_of_the_examples_of_all_rules_is_what_the_schema_says() -> None:
    root = ElementTree.fromstring(junit(_reports()))
    assert root.tag == "testsuites"
    _check_by_xsd(root)
    for suite in root:
        cases, failures = suite.findall("testcase"), suite.findall("testcase/failure")
        assert (suite.get("tests"), suite.get("failures")) == (str(len(cases)), str(len(failures)))
    assert root.get("tests") == str(len(root.findall("testsuite/testcase")))


def test_the_junit_schema_refuses_what_it_does_not_know() -> None:
    with pytest.raises(AssertionError):
        _check_by_xsd(ElementTree.fromstring('<testsuites><testcase name="x"/></testsuites>'))
    with pytest.raises(AssertionError):
        _check_by_xsd(ElementTree.fromstring('<testsuites><testsuite name="x"/></testsuites>'))


def test_a_parser_of_junit_reports_reads_every_case() -> None:
    junitparser = pytest.importorskip("junitparser")
    read = junitparser.JUnitXml.fromstring(junit(_reports()).encode())
    assert read.tests == sum(max(len(report.findings), 1) for report in _reports())
    assert sum(suite.failures for suite in read) == read.failures > 0
    assert {suite.name for suite in read} == {report.path for report in _reports()}


@pytest.mark.parametrize("text", ["\x00\x1b[31m", "]]>", "</failure>", "&amp;", "\"'<>", "\ufffe\ud800"], ids=ascii)
def test_nothing_in_a_text_breaks_a_report_of_junit(text: str) -> None:
    report = _report(f"{text}.md", RELATIVE)
    _check_by_xsd(ElementTree.fromstring(junit([report])))


GITLAB_KEYS = {"description", "check_name", "fingerprint", "severity", "location"}
"""What GitLab's documentation of Code Quality calls required, in its order."""


def test_gitlab_issues_have_the_required_keys_and_fingerprints_of_their_own() -> None:
    issues = json.loads(gitlab(_reports()))
    assert len(issues) == sum(len(report.findings) for report in _reports())
    for issue in issues:
        assert issue.keys() == GITLAB_KEYS
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert issue["check_name"] in BY_CODE
        assert issue["description"]
        assert not issue["location"]["path"].startswith(("/", "./"))
        assert isinstance(issue["location"]["lines"]["begin"], int)
        assert 1 <= issue["location"]["lines"]["begin"] <= issue["location"]["lines"]["end"]
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
