"""The project's own skills: every rule kept, every example valid, nothing named that the language lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentic_dsl import codes
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints, ContextSignature
from agentic_dsl.diagnostics import Code
from agentic_dsl.format import format_document
from agentic_dsl.node_table import NODE_TABLE
from agentic_dsl.runtime.matcher.explain import explain
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.skills.folders import library_folder
from agentic_dsl.skills.registry import SkillRegistry

ROOT = library_folder()
FILES = sorted(ROOT.rglob("*.md"))
GIVEN = ContextSignature(available_vars={"customer": "integer", "order_id": "string"})
"""What the examples take from the context at the start, as their texts say."""

KINDS = {kind.code: kind for kind in vars(codes).values() if isinstance(kind, Code)}
EXAMPLE = re.compile(r"^### AgenticDSL `(?P<path>/[^`]+)`\n```yaml\n.*?^```$", re.M | re.S)
GENERATED = [
    pytest.param(found[0], id=found["path"])
    for file in FILES
    for found in EXAMPLE.finditer(file.read_text(encoding="utf-8"))
    if found["path"].startswith("/dynamic/")
]


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_there_are_six_skills_without_a_finding() -> None:
    registry = SkillRegistry.load([ROOT])
    assert registry.diagnostics == ()
    assert len(registry.skills) == 6
    for skill in registry.skills:
        assert skill.version is not None, skill.name
        assert skill.tags, skill.name
        assert skill.license == "Apache-2.0", skill.name


def test_bodies_have_fewer_tokens_than_models_are_given() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    wordllama = pytest.importorskip("wordllama")
    (file,) = (Path(wordllama.__file__).parent / "tokenizers").glob("*.json")
    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    for skill in SkillRegistry.load([ROOT]).skills:
        assert 1_000 < len(tokenizer.encode(skill.body).ids) < 5_000, skill.name


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_every_example_is_valid_and_in_the_canonical_layout(file: Path) -> None:
    document = parse(file.read_text(encoding="utf-8"), path=str(file))
    assert document.blocks
    found = check(document)
    # A name of the context at the start is unknown to a document without an application.
    assert [d.message for d in found if d.is_error or d.code != "ADL603"] == []
    assert format_document(document) == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", GENERATED)
def test_every_example_of_a_plan_is_what_generation_can_write(text: str) -> None:
    match = EXAMPLE.match(text)
    assert match is not None
    constraints = Constraints(path=match["path"], context=GIVEN)
    assert explain(start(Plan.of(constraints)), text, before=b"") is None


def test_the_examples_show_every_node_type_that_is_generated() -> None:
    shown = {
        node.type for file in FILES for block in parse(file.read_text()).blocks for node in getattr(block, "nodes", ())
    }
    assert shown == set(NODE_TABLE) - {"resource", "resource_declare"}


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_every_code_and_every_error_name_is_one(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    standard = {kind.standard for kind in KINDS.values()}
    assert set(re.findall(r"\bADL\d{3}\b", text)) <= set(KINDS)
    assert set(re.findall(r"\bERR_[A-Z_]+\b", text)) - {"ERR_"} <= standard


def test_every_error_of_validation_that_generation_can_make_has_a_repair() -> None:
    text = (ROOT / "debugging-rejected-subgraphs" / "SKILL.md").read_text(encoding="utf-8")
    for code in ("ADL201", "ADL203", "ADL204", "ADL205", "ADL211", "ADL301", "ADL308", "ADL508", "ADL604", "ADL605"):
        assert code in text, KINDS[code].name


def test_the_tables_of_findings_say_what_the_codes_mean() -> None:
    """Each row is held to one word of the code's own name, so that no row can slip to another code."""
    words = {"ADL207": "branch", "ADL209": "handler", "ADL210": "always", "ADL211": "wait_for", "ADL605": "key"}
    text = (ROOT / "fork-and-join" / "SKILL.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (ADL\d+) \| (.+?) \|", text, re.M))
    assert rows.keys() == words.keys()
    assert all(word in rows[code] for code, word in words.items())


@pytest.mark.parametrize("skill", SkillRegistry.load([ROOT]).skills, ids=lambda skill: skill.name)
def test_a_skill_is_found_by_its_own_description(skill: object) -> None:
    pytest.importorskip("bm25s")
    from agentic_dsl.skills.lexical_ranker import LexicalRanker
    from agentic_dsl.skills.skill import Skill

    assert isinstance(skill, Skill)
    ranker = LexicalRanker(SkillRegistry.load([ROOT]).skills)
    assert ranker.rank(skill.description)[0].name == skill.name


def test_every_command_in_the_skills_is_one() -> None:
    from agentic_dsl.cli.app import build_app

    known = {command.name for command in build_app(plain=True).registered_commands}
    named = {name for file in FILES for name in re.findall(r"`agentic-dsl ([a-z]+)", file.read_text(encoding="utf-8"))}
    assert named
    assert named <= known


def findings_of(body: str, path: str) -> list[str]:
    """Findings about a body, as the skill about debugging quotes them."""
    found = check(parse(f"### AgenticDSL `{path}`\n```yaml\n{body}```\n"))
    return [line for d in found for line in (f"{d.severity.value} {d.code} {d.message}", f"  help: {d.help}")]


def test_the_rejected_example_has_exactly_the_findings_that_are_quoted() -> None:
    text = (ROOT / "debugging-rejected-subgraphs" / "SKILL.md").read_text(encoding="utf-8")
    body, quoted = re.findall(r"^```text\n(.*?)^```$", text, re.M | re.S)
    assert findings_of(body, "/dynamic/sum") == quoted.splitlines()


@pytest.mark.parametrize(
    ("path", "old", "new", "codes_"),
    [
        ("prices", 'on_error: "/dynamic/prices/no_a"', 'on_error: "/dynamic/prices/both"', {"ADL209"}),
        (
            "prices",
            'next: ["/dynamic/prices/ready_a"]\n  - id: no_a',
            'next: ["/dynamic/prices/both"]\n  - id: no_a',
            {"ADL210"},
        ),
        ("trip", 'output_keys: ["hotels"]', 'output_keys: ["flights"]', {"ADL605"}),
        (
            "trip",
            '"/dynamic/trip/flights", "/dynamic/trip/hotels"]\n    next',
            '"/dynamic/trip/hotels"]\n    next',
            {"ADL211"},
        ),
        ("news", 'wait_for: ["/dynamic/news/weather", ', 'wait_for: ["/dynamic/news/fetch", ', {"ADL211"}),
        ("links", "array_concat", "last_write_wins", {"ADL510"}),
        ("links", "      merge_strategy: array_concat\n", "", {"ADL605"}),
    ],
)
def test_what_the_skill_about_joins_calls_wrong_is_refused_as_it_says(
    path: str, old: str, new: str, codes_: set[str]
) -> None:
    text = (ROOT / "fork-and-join" / "SKILL.md").read_text(encoding="utf-8")
    example = next(found[0] for found in EXAMPLE.finditer(text) if found["path"] == f"/dynamic/{path}")
    assert example.count(old) == 1
    assert codes_ <= {d.code for d in check(parse(example.replace(old, new))) if d.is_error}


@pytest.mark.parametrize(
    "template",
    [
        *re.findall(
            r'`"(\{\{.*?\}\})"`',
            (ROOT / "data-flow-and-templates" / "SKILL.md").read_text(encoding="utf-8").split("## Forms")[1],
        )
    ],
)
def test_every_form_of_template_in_the_table_can_be_generated(template: str) -> None:
    names = ContextSignature(available_vars=dict.fromkeys(("name", "user", "items", "x"), "any"))
    text = (
        "### AgenticDSL `/dynamic/p`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n  - id: a\n"
        f'    type: assign\n    assign:\n      key: "{template}"\n    next: ["/__system__/end_soft"]\n'
        "# --- END AgenticDSL ---\n```"
    )
    assert explain(start(Plan.of(Constraints(path="/dynamic/p", context=names))), text, before=b"") is None


def test_a_template_that_the_skill_forbids_cannot_be_generated() -> None:
    for template in ("{% if x %}", "{{ x | upper }}", "{{ x + 1 }}", "{{ upper(x) }}", "{{ x and x }}", "{# x #}"):
        with pytest.raises(AssertionError):
            test_every_form_of_template_in_the_table_can_be_generated(template)
