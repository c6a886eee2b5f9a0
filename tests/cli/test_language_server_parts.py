"""Parts of the language server by themselves: positions, outlines, edits, the library files, texts of every kind."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pygls")
from lsprotocol import types

from agentic_dsl.cli.language_server import diagnostics as shown
from agentic_dsl.cli.language_server import flow_outline, outline
from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.cli.language_server.answers import Answers
from agentic_dsl.cli.language_server.code_actions import FIX_ALL
from agentic_dsl.cli.language_server.cursor import cursor_at
from agentic_dsl.cli.language_server.diagnostics import diagnostics
from agentic_dsl.cli.language_server.formatting import changes
from agentic_dsl.cli.language_server.library_files import LibraryFiles, files_of
from agentic_dsl.cli.language_server.outline import read_outline
from agentic_dsl.cli.language_server.positions import Encoding, Positions
from agentic_dsl.cli.language_server.workspace import LANGUAGES, Workspace, name_of, uri_of
from agentic_dsl.compiler.lint.examples import contract, subgraph
from agentic_dsl.compiler.lint.registry import RULES
from agentic_dsl.compiler.parse.blocks import read_structure
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.parse.yaml_body import read_yaml
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar
from agentic_dsl.errors import UsageError
from agentic_dsl.span import Source, Span, SpanPath

ROOT = Path(__file__).resolve().parents[2]
CODECS = {Encoding.Utf8: ("utf-8", 1), Encoding.Utf16: ("utf-16-le", 2), Encoding.Utf32: ("utf-32-le", 4)}
PIECES = st.sampled_from(["a", "é", "漢", "𝒳", "👩‍💻", " ", "\n", "\r\n", "\r", "\u2028", "\x0b"])
TEXTS = st.lists(PIECES, max_size=30).map("".join)


def _documents() -> list[str]:
    """Documents of every kind, of moderate length."""
    files = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").rglob("*.md"))]
    examples = [example.document() for rule in RULES for example in (rule.bad, rule.good) if not example.costly]
    return [text for text in (*files, *examples) if len(text) < 20_000]


# --- positions -------------------------------------------------------------------------------------------------------


@given(TEXTS, st.sampled_from(Encoding), st.integers(0, 60))
def test_an_offset_comes_back_from_its_position(text: str, encoding: Encoding, offset: int) -> None:
    positions = Positions(text, encoding)
    offset = min(offset, len(text))
    position = positions.position(offset)
    inside_line_end = text[offset - 1 : offset + 1] == "\r\n"
    assert positions.offset(position) == (offset - 1 if inside_line_end else offset)
    place = Source(text).position(offset)
    codec, size = CODECS[encoding]
    before = text[offset - place.column + 1 : offset]
    assert (position.line, position.character) == (place.line - 1, len(before.encode(codec)) // size)


@given(TEXTS, st.sampled_from(Encoding), st.integers(0, 40), st.integers(0, 40))
def test_every_position_is_some_offset(text: str, encoding: Encoding, line: int, character: int) -> None:
    positions = Positions(text, encoding)
    offset = positions.offset(types.Position(line, character))
    assert 0 <= offset <= len(text)
    found = positions.position(offset)
    assert (found.line, found.character) <= (line, character) or offset == len(text)


def test_a_position_inside_of_a_character_is_its_start() -> None:
    assert Positions("a𝒳b").offset(types.Position(0, 2)) == 1
    assert Positions("a𝒳b").offset(types.Position(0, 3)) == 2


def test_half_a_character_has_a_position() -> None:
    assert Positions("a\ud800b").position(2).character == 2
    assert Positions("a\ud800b", Encoding.Utf8).position(2).character == 4


# --- outlines --------------------------------------------------------------------------------------------------------


def _written(node: YamlNode, path: SpanPath = ()) -> Iterator[tuple[SpanPath, bool, YamlScalar]]:
    """Every key and scalar of a body, as the parser reads it."""
    if isinstance(node, YamlScalar):
        yield path, False, node
    elif isinstance(node, YamlMapping):
        for key, value in node.pairs:
            yield path, True, key
            yield from _written(value, (*path, key.text))
    else:
        for number, item in enumerate(node.items):
            yield from _written(item, (*path, number))


def test_the_outline_of_a_readable_body_is_what_the_parser_reads() -> None:
    compared = 0
    for text in _documents():
        for raw in read_structure(text).blocks:
            body = text[raw.body.start : raw.body.end]
            root, found, _ = read_yaml(body, raw.body.start)
            if root is None or any(finding.is_error for finding in found) or "&" in body:
                continue
            read = read_outline(text, raw.body, 0)
            slots = {(s.path, s.is_key, text[s.token.start : s.token.end].rstrip()): s.token for s in read.slots}
            for path, is_key, scalar in _written(root):
                token = text[scalar.start : scalar.end].rstrip()
                if token:
                    assert slots[path, is_key, token].start == scalar.start, (path, token)
                    compared += 1
    assert compared > 5_000


@settings(max_examples=300)
@given(st.text(alphabet="ab:-[]{}\"'|># \n\t,\\𝒳", max_size=80), st.integers(0, 80))
def test_there_is_an_outline_of_every_text(text: str, cursor: int) -> None:
    found = read_outline(text, Span(0, len(text)), min(cursor, len(text)))
    for slot in found.slots:
        assert 0 <= slot.region.start <= slot.token.start <= slot.token.end <= slot.region.end <= len(text)
    found.at(cursor)


def test_a_bracket_that_is_not_closed_ends_where_the_next_key_begins() -> None:
    text = 'nodes:\n  - id: a\n    next: ["/main/p/b", "/main\n    type: end\n  - id: b\n'
    found = read_outline(text, Span(0, len(text)), 0)
    assert found.text(("nodes", 0, "type")) == "end"
    assert found.text(("nodes", 0, "next", 1)) == "/main"
    assert found.text(("nodes", 1, "id")) == "b"


def test_the_outline_of_endless_nonsense_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (outline, flow_outline):
        monkeypatch.setattr(module, "MAX_SLOTS", 1_000)
    for text in ("a: [" + "," * 5_000, "a: 1\n" * 5_000, "a:\n" + "- 1\n" * 5_000):
        found = read_outline(text, Span(0, len(text)), 0).slots
        assert 1_000 <= len(found) <= 1_002


# --- edits -----------------------------------------------------------------------------------------------------------

LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "d"]), max_size=12).map("".join)


@given(LINES, LINES)
def test_the_edits_between_two_texts_make_one_of_the_other(old: str, new: str) -> None:
    parts, at = [], 0
    for span, text in changes(old, new):
        assert at <= span.start
        parts += [old[at : span.start], text]
        at = span.end
    assert "".join((*parts, old[at:])) == new


def test_long_texts_that_differ_everywhere_are_replaced_at_once() -> None:
    old, new = "".join(f"{n}\n" for n in range(5_000)), "".join(f"x{n}\n" for n in range(5_000))
    assert list(changes(old, new)) == [(Span(0, len(old)), new)]


# --- the library files -----------------------------------------------------------------------------------------------

SHORT = contract("(text: string) -> {short: string}", path="/lib/utils/short")


def test_the_library_is_built_again_only_when_another_document_changes(tmp_path: Path) -> None:
    files = LibraryFiles()
    one, two = tmp_path / "one.md", tmp_path / "two.md"
    one.write_text(SHORT, encoding="utf-8")
    two.write_text(SHORT.replace("short", "long"), encoding="utf-8")
    assert files.read(str(one))
    assert files.read(str(two))
    assert not files.read(str(two))
    before = files.beside(str(one))
    assert [str(entry.path) for entry in before.entries] == ["/lib/utils/long"]
    assert files.open(str(one), parse(SHORT.replace("text", "words"), path=str(one)))
    assert files.beside(str(one)) is before
    assert [str(entry.path) for entry in files.beside(str(two)).entries] == ["/lib/utils/short"]
    assert files.open(str(two), parse("# empty now\n", path=str(two)))
    assert files.beside(str(one)).entries == ()
    assert files.close(str(two))
    assert len(files.beside(str(one)).entries) == 1
    two.unlink()
    assert files.read(str(two))
    assert files.beside(str(one)).entries == ()


def test_files_that_are_no_library_documents_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "hidden.md").write_text(SHORT)
    (tmp_path / "binary.md").write_bytes(b"\xff\x00AgenticDSL /lib/" * 10)
    (tmp_path / "main.md").write_text(subgraph("- {id: done, type: end}"))
    (tmp_path / "loop").symlink_to(tmp_path)
    names = list(files_of([tmp_path, tmp_path / "not-there"]))
    assert [Path(name).name for name in names] == ["binary.md", "main.md"]
    files = LibraryFiles()
    assert not any(files.read(name) for name in (*names, str(tmp_path / "not-there.md"), str(tmp_path)))
    assert files.beside("x").entries == ()


@pytest.mark.parametrize("name", ["/a b/c#d.md", "/ü/漢.md", "/x/100%.md"])
def test_a_file_name_comes_back_from_its_uri(name: str) -> None:
    assert name_of(uri_of(name)) == name


def test_a_document_without_a_file_is_named_by_its_uri() -> None:
    assert name_of("untitled:Untitled-1") == "untitled:Untitled-1"
    workspace = Workspace(_refuse)
    workspace.put("untitled:Untitled-1", subgraph("- {id: done, type: ende}"), 1)
    analysis = workspace.analysis("untitled:Untitled-1")
    assert analysis is not None
    assert diagnostics(analysis, workspace.findings(analysis))


def _refuse(error: UsageError) -> None:
    raise error


# --- findings --------------------------------------------------------------------------------------------------------


def test_a_finding_links_to_its_page_where_the_project_says_where_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Metadata:
        def get_all(self, _name: str) -> list[str]:
            return ["Homepage, https://example.org", "Documentation, https://example.org/docs/"]

    shown.rule_page.cache_clear()
    monkeypatch.setattr(shown, "metadata", lambda _name: Metadata())
    try:
        assert shown.rule_page("ADL120") == "https://example.org/docs/rules/style.md#adl120-deprecated-spelling"
        assert shown.rule_page("ADL000") is None
    finally:
        shown.rule_page.cache_clear()


def test_the_anchors_of_rule_pages_are_headings_of_the_documentation() -> None:
    for rule in RULES:
        page = ROOT / "docs" / "rules" / f"{rule.group.value}.md"
        assert f"\n## {rule.code} {rule.name}\n" in page.read_text(encoding="utf-8")


def test_unused_and_old_things_are_drawn_in_a_way_of_their_own() -> None:
    found = {}
    for rule in RULES:
        if rule.code in ("ADL120", "ADL801", "ADL301"):
            analysis = Analysis("p.md", rule.bad.document())
            findings = [d for d in diagnostics(analysis, analysis.linted.findings) if d.code == rule.code]
            found[rule.code] = findings[0].tags
    assert found["ADL120"] == [types.DiagnosticTag.Deprecated]
    assert found["ADL801"] == [types.DiagnosticTag.Unnecessary]
    assert found["ADL301"] is None


# --- every kind of text ----------------------------------------------------------------------------------------------

_BITS = ('"', "'", "[", "]", "{", "}", ":", "- ", "\n", "  ", "{{", "}}", "{%", "\r\n", "\u2028", "𝒳", "#", "|")
_MORE = (">", "&a ", "*a", "!t ", "```", "type: ", "next: [", "/lib/", "\t", "?", "\ud800", "nodes:\n", "@v1")


@pytest.mark.parametrize("seed", range(8))
def test_whatever_stands_in_a_document_every_question_has_an_answer(seed: int) -> None:
    rng = random.Random(seed)
    documents = _documents()
    workspace = Workspace(_refuse)
    answers = Answers(workspace)
    uri = "file:///nowhere/p.md"
    asked = types.TextDocumentIdentifier(uri)
    for version in range(40):
        text = rng.choice(documents)
        text = text[: rng.randrange(len(text) + 1)] if rng.random() < 0.4 else text
        for _ in range(rng.randrange(4)):
            start = rng.randrange(len(text) + 1)
            text = text[:start] + rng.choice(_BITS + _MORE) + text[start + rng.choice((0, 0, 1, 3, 20)) :]
        workspace.put(uri, text, version)
        analysis = workspace.analysis(uri)
        assert analysis is not None
        position = analysis.positions.position(rng.randrange(len(text) + 1))
        answers.completion(types.CompletionParams(asked, position))
        answers.hover(types.HoverParams(asked, position))
        answers.definition(types.DefinitionParams(asked, position))
        answers.references(types.ReferenceParams(types.ReferenceContext(True), asked, position))
        answers.symbols(types.DocumentSymbolParams(asked))
        answers.formatting(types.DocumentFormattingParams(asked, types.FormattingOptions(2, True)))
        diagnostics(analysis, workspace.findings(analysis))
        workspace.note_read(uri, analysis)


def test_a_cursor_in_every_place_of_a_document_is_in_one_block_or_none() -> None:
    text = (ROOT / "examples" / "trip.md").read_text(encoding="utf-8")
    analysis = Analysis("trip.md", text)
    for offset in range(0, len(text), 3):
        cursor = cursor_at(analysis, offset)
        inside = [n for n, raw in enumerate(analysis.structure.blocks) if raw.body.start <= offset <= raw.body.end]
        if cursor is not None:
            assert [cursor.block] == inside[:1]


# --- the page ------------------------------------------------------------------------------------------------------


def _settings(language: str) -> str:
    page = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")
    return page.split(f"```{language}\n")[1].split("```")[0]


def test_the_settings_of_each_editor_start_the_server() -> None:
    code = json.loads(_settings("json"))
    assert [code["glspc.server.command"], *code["glspc.server.commandArguments"]] == ["agentic-dsl", "lsp"]
    assert set(code["glspc.server.languageId"]) <= LANGUAGES
    assert set(code["[markdown]"]["editor.codeActionsOnSave"]) == {FIX_ALL}
    helix = tomllib.loads(_settings("toml"))
    server = helix["language-server"]["agentic-dsl"]
    assert [server["command"], *server["args"]] == ["agentic-dsl", "lsp"]
    assert {language["name"] for language in helix["language"]} <= LANGUAGES
    assert '{ "agentic-dsl", "lsp" }' in _settings("lua")
    assert '("agentic-dsl" "lsp")' in _settings("elisp")


# --- the command -----------------------------------------------------------------------------------------------------


def _run(code: str) -> subprocess.CompletedProcess[str]:
    prelude = "import sys\nfrom agentic_dsl.errors import AgenticDSLError\nfrom agentic_dsl.cli.lsp import lsp\n"
    body = f"{prelude}{code}"
    return subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, check=False, input="")


def test_without_its_package_the_command_names_the_extra() -> None:
    done = _run(
        "sys.modules['pygls'] = None\ntry: lsp()\nexcept AgenticDSLError as e: print(e.code, e.message, e.help)"
    )
    assert done.stdout.startswith("missing_extra")
    assert "agentic-dsl[lsp]" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("tools='-'", "standard input"),
        ("tools='nothing.json'", "nothing.json cannot be read"),
        ("lib=[__import__('pathlib').Path('nowhere')]", "nowhere does not exist"),
    ],
)
def test_options_that_cannot_be_used_are_refused_before_anything_is_said(arguments: str, says: str) -> None:
    done = _run(f"try: lsp({arguments})\nexcept AgenticDSLError as e: print(e.code, e.message)")
    assert done.stdout.startswith("usage ")
    assert says in done.stdout


def test_the_command_line_does_not_load_the_server_unless_it_is_asked_for() -> None:
    done = _run("print([name for name in sys.modules if name.split('.')[0] in ('pygls', 'lsprotocol')])")
    assert done.stdout == "[]\n"
