"""The language server, asked by a real client over the pipes of a real process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pygls")
from language_client import MARK, LanguageClient, applied, unmarked

PLAN = """\
# A plan

### AgenticDSL `/main/plan`
```yaml
graph_type: subgraph
signature: "(topic: string) -> {text: string}"
nodes:
  - id: fetch
    type: tool_call
    tool: web_search
    arguments:
      query: "news about {{ topic }}"
    output_keys: ["found"]
    next: ["/main/plan/write"]
  - id: write
    type: dsl_call
    prompt_template: "Summarise {{ found }}"
    llm_tool_name: llama-default
    output_keys: ["text"]
    next: ["/lib/utils/shorten", "/main/plan/done"]
  - id: done
    type: end
```
"""

SHORTEN = """\
Makes a text short.

### AgenticDSL `/lib/utils/shorten`
```yaml
signature: "(text: string) -> {short: string}"
version: "1.2"
```
"""

TOOLS = """\
### AgenticDSL `/__meta__/resources`
```yaml
type: resource_declare
resources:
  - type: tool
    name: web_search
    description: "Search the web."
    parameters:
      type: object
      properties:
        query: {type: string, description: "What to look for."}
        limit: {type: integer}
      required: ["query"]
```

"""


def _folder(folder: Path) -> Path:
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "shorten.md").write_text(SHORTEN, encoding="utf-8")
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace of its own, for tests that change files or settings."""
    return _folder(tmp_path / "work")


@pytest.fixture
def own(work: Path) -> Iterator[LanguageClient]:
    """A server of its own."""
    with LanguageClient(work) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageClient]:
    with LanguageClient(_folder(tmp_path_factory.mktemp("shared") / "work")) as opened:
        yield opened


@pytest.fixture
def client(shared: LanguageClient) -> Iterator[LanguageClient]:
    """The server that most tests share; what a test opens is closed behind it."""
    yield shared
    shared.close_all()
    assert shared.messages == []
    assert shared.stderr == ""


def _codes(findings: list[dict[str, Any]]) -> list[str]:
    return [finding["code"] for finding in findings]


def _at(text: str, finding: dict[str, Any]) -> str:
    start, end = finding["range"]["start"], finding["range"]["end"]
    assert start["line"] == end["line"]
    units = text.split("\n")[start["line"]].encode("utf-16-le")
    return units[2 * start["character"] : 2 * end["character"]].decode("utf-16-le")


def _marked(text: str, around: str) -> str:
    """A text with the mark where it stands in a part of it."""
    assert text.count(around.replace(MARK, "")) == 1
    return text.replace(around.replace(MARK, ""), around)


def _labels(answer: dict[str, Any]) -> list[str]:
    return [item["label"] for item in answer["items"]]


# --- diagnostics -----------------------------------------------------------------------------------------------------


def test_a_document_is_checked_when_it_is_opened_and_when_it_changes(client: LanguageClient) -> None:
    uri = client.open("plan.md", PLAN)
    assert "ADL301" not in _codes(client.findings(uri))
    broken = PLAN.replace('"/main/plan/write"', '"/main/plan/nowhere"')
    client.change(uri, broken, 2)
    found = client.findings(uri, 2)
    missing = next(finding for finding in found if finding["code"] == "ADL301")
    assert missing["severity"] == 1
    assert missing["source"] == "agentic-dsl"
    assert "nowhere" in missing["message"]
    assert "help:" in missing["message"]
    assert "nowhere" in _at(broken, missing)
    client.change(uri, PLAN, 3)
    assert "ADL301" not in _codes(client.findings(uri, 3))


def test_the_findings_are_those_of_lint(client: LanguageClient) -> None:
    from agentic_dsl.compiler.lint.project import Project
    from agentic_dsl.compiler.lint.report import judged

    text = PLAN.replace('"/main/plan/done"', '"done"').replace("{{ found }}", "{{ fond }}")
    files = {"plan.md": text.encode(), "lib/shorten.md": SHORTEN.encode()}
    expected = [finding.diagnostic.code for finding in judged(Project(files).lint()["plan.md"])]
    assert len(expected) > 1
    assert _codes(client.findings(client.open("plan.md", text))) == expected


def test_positions_are_counted_in_the_units_that_were_agreed_on(work: Path) -> None:
    line = '  - {id: "𝒳𝒳é", type: end, nonsense: 1}'
    text = f"### AgenticDSL `/main/p`\n```yaml\ngraph_type: subgraph\nnodes:\n{line}\n```\n"
    columns = {}
    for encoding, codec, size in (("utf-8", "utf-8", 1), ("utf-16", "utf-16-le", 2), ("utf-32", "utf-32-le", 4)):
        with LanguageClient(work, encodings=(encoding,)) as client:
            assert client.capabilities["positionEncoding"] == encoding
            uri = client.open("p.md", text)
            found = next(f for f in client.findings(uri) if "nonsense" in f["message"])
            start = found["range"]["start"]["character"]
            assert line.encode(codec)[start * size :].decode(codec).startswith("nonsense")
            columns[encoding] = start
    assert columns["utf-8"] > columns["utf-16"] > columns["utf-32"]


def test_a_line_separator_is_no_line_end(client: LanguageClient) -> None:
    text = "One line\u2028of\x0bprose\x85.\n\n" + PLAN.replace("    type: end\n", "    type: end\n    nonsense: 1\n")
    found = next(f for f in client.findings(client.open("plan.md", text)) if "nonsense" in f["message"])
    assert _at(text, found) == "nonsense"


def test_findings_go_away_when_the_document_is_closed(client: LanguageClient) -> None:
    uri = client.open("plan.md", PLAN.replace("type: end", "type: ende"))
    assert client.findings(uri)
    client.close(uri)
    assert client.findings(uri) == []


def test_markdown_without_a_block_and_other_languages_are_left_alone(client: LanguageClient) -> None:
    assert client.findings(client.open("readme.md", "# About\n\nNothing of ours. <!-- adl: nonsense -->\n")) == []
    client.open("plan.yaml", PLAN.replace("type: end", "type: ende"), language="yaml")
    assert not client.has_more_findings(0.5)


def test_a_heading_without_its_block_is_a_finding(client: LanguageClient) -> None:
    assert "ADL004" in _codes(client.findings(client.open("plan.md", "### AgenticDSL `/main/plan`\n")))


def test_many_changes_in_a_row_are_checked_once(work: Path) -> None:
    with LanguageClient(work, debounce=400) as client:
        uri = client.open("plan.md", PLAN)
        client.findings(uri, 1)
        for version in range(2, 12):
            client.change(uri, PLAN + "\n" * version, version)
        client.findings(uri, 11)
        assert not client.has_more_findings(0.6)


def test_the_settings_of_the_project_hold(own: LanguageClient, work: Path) -> None:
    (work / "agentic-dsl.toml").write_text(
        '[lint]\nignore = ["ADL301"]\nexclude = ["old"]\nper-file-ignores = { "drafts/*" = ["ADL"] }\n'
    )
    broken = PLAN.replace('"/main/plan/write"', '"/main/plan/nowhere"').replace('"/main/plan/done"', '"done"')
    found = _codes(own.findings(own.open("plan.md", broken)))
    assert found
    assert "ADL301" not in found
    assert own.findings(own.open("drafts/plan.md", broken)) == []
    assert own.findings(own.open("old/plan.md", broken)) == []


def test_settings_that_cannot_be_used_are_told_once_and_the_server_goes_on(own: LanguageClient, work: Path) -> None:
    (work / "agentic-dsl.toml").write_text('[lint]\nselect = ["NOPE"]\n')
    uri = own.open("plan.md", PLAN.replace('"/main/plan/write"', '"/main/plan/nowhere"'))
    assert "ADL301" in _codes(own.findings(uri, 1))
    own.change(uri, PLAN, 2)
    own.findings(uri, 2)
    assert [m for m in own.messages if "NOPE" in m] == own.messages
    assert len(own.messages) == 1


# --- the library of the workspace -------------------------------------------------------------------------------------


def test_a_library_file_that_is_edited_changes_what_its_callers_are_told(client: LanguageClient) -> None:
    caller = client.open("plan.md", PLAN)
    assert "ADL301" not in _codes(client.findings(caller, 1))
    library = client.open("lib/shorten.md", SHORTEN.replace("/lib/utils/shorten", "/lib/utils/cut"))
    assert any(finding["code"].startswith("ADL3") for finding in client.findings(caller))
    client.change(library, SHORTEN, 2)
    assert not any(finding["code"].startswith("ADL3") for finding in client.findings(caller))


def test_a_library_file_that_changes_on_disk_is_read_again(own: LanguageClient, work: Path) -> None:
    uri = own.open("plan.md", PLAN)
    assert "ADL301" not in _codes(own.findings(uri))
    assert own.registrations == ["workspace/didChangeWatchedFiles"]
    (work / "lib" / "shorten.md").unlink()
    own.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": own.uri("lib/shorten.md"), "type": 3}]})
    assert any(finding["code"].startswith("ADL3") for finding in own.findings(uri))
    (work / "lib" / "shorten.md").write_text(SHORTEN, encoding="utf-8")
    own.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": own.uri("lib/shorten.md"), "type": 1}]})
    assert not any(finding["code"].startswith("ADL3") for finding in own.findings(uri))


def test_an_editor_that_does_not_watch_files_has_them_read_again_when_it_saves(work: Path) -> None:
    with LanguageClient(work, watches=False) as client:
        uri = client.open("plan.md", PLAN)
        assert "ADL301" not in _codes(client.findings(uri))
        (work / "lib" / "shorten.md").unlink()
        (work / "agentic-dsl.toml").write_text('[lint]\nignore = ["ADL914"]\n')
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        while not any(finding["code"].startswith("ADL3") for finding in client.findings(uri)):
            pass
        assert client.registrations == []


def test_an_open_library_file_does_not_clash_with_itself_on_disk(client: LanguageClient) -> None:
    uri = client.open("lib/shorten.md", SHORTEN + "\nMore words.\n")
    assert not [finding for finding in client.findings(uri) if finding["severity"] == 1]


# --- hover -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("around", "says"),
    [
        (f"type: tool{MARK}_call", ["Calls a registered tool", "`tool` (required)"]),
        (f"llm_tool_{MARK}name:", ["name of the registered model", "required"]),
        (f"graph_t{MARK}ype:", ["one of `subgraph`"]),
        (f'"/main/plan/wr{MARK}ite"', ["**write**", "`dsl_call`", "writes `text`"]),
        (
            f'"/lib/utils/sho{MARK}rten"',
            ["(text: string) -> {short: string}", "1.2", "Makes a text short.", "shorten.md"],
        ),
        (f"about {{{{ to{MARK}pic }}}}", ["**topic**", "input of `/main/plan`: `string`"]),
        (f"Summarise {{{{ fo{MARK}und }}}}", ["**found**", "written by `fetch`"]),
        (f"tool: web{MARK}_search", ["Search the web.", "`query` (required): string — What to look for."]),
    ],
)
def test_hover_says_what_stands_there(client: LanguageClient, around: str, says: list[str]) -> None:
    answer = client.ask_in("plan.md", TOOLS + _marked(PLAN, around), "hover")
    for words in says:
        assert words in answer["contents"]["value"]


def test_hover_marks_the_word_that_it_is_about(client: LanguageClient) -> None:
    marked = _marked(PLAN, f"{{{{ to{MARK}pic }}}}")
    answer = client.ask_in("plan.md", marked, "hover")
    assert _at(unmarked(marked)[0], answer) == "topic"


def test_hover_has_nothing_to_say_about_prose(client: LanguageClient) -> None:
    assert client.ask_in("plan.md", _marked(PLAN, f"# A {MARK}plan"), "hover") is None


def test_hover_works_while_a_line_is_half_written(client: LanguageClient) -> None:
    uri = client.open("plan.md", PLAN)
    client.findings(uri, 1)
    text, position = unmarked(_marked(PLAN, f'"/main/plan/wr{MARK}ite"'))
    client.change(uri, text.replace('output_keys: ["text"]', 'output_keys: ["text'), 2)
    answer = client.ask("hover", uri, position)
    assert "**write**" in answer["contents"]["value"]


# --- definition, references, symbols ---------------------------------------------------------------------------------


def test_a_reference_leads_to_the_id_of_its_node(client: LanguageClient) -> None:
    [place] = client.ask_in("plan.md", _marked(PLAN, f'"/main/plan/wr{MARK}ite"'), "definition")
    assert place["uri"] == client.uri("plan.md")
    assert _at(PLAN, place) == "write"


def test_a_library_call_leads_to_the_heading_in_its_file(client: LanguageClient) -> None:
    uri = client.open("warm.md", PLAN)
    client.findings(uri)
    [place] = client.ask_in("plan.md", _marked(PLAN, f'"/lib/utils/sho{MARK}rten"'), "definition")
    assert place["uri"] == client.uri("lib/shorten.md")
    assert _at(SHORTEN, place) == "/lib/utils/shorten"


def test_a_name_leads_to_where_it_is_written(client: LanguageClient) -> None:
    [place] = client.ask_in("plan.md", _marked(PLAN, f"Summarise {{{{ fo{MARK}und }}}}"), "definition")
    assert _at(PLAN, place) == '"found"'


def test_a_tool_leads_to_its_declaration(client: LanguageClient) -> None:
    [place] = client.ask_in("plan.md", TOOLS + _marked(PLAN, f"tool: web{MARK}_search"), "definition")
    assert place["range"]["start"]["line"] == 4


def test_references_find_every_mention_of_a_node(client: LanguageClient) -> None:
    text = PLAN.replace('output_keys: ["found"]\n', 'output_keys: ["found"]\n    on_error: "/main/plan/write"\n')
    context = {"includeDeclaration": True}
    places = client.ask_in("plan.md", _marked(text, f"id: wr{MARK}ite"), "references", context=context)
    assert [_at(text, place).strip('"') for place in places] == ["write", "/main/plan/write", "/main/plan/write"]


def test_references_of_a_library_entry_are_found_in_other_documents(client: LanguageClient) -> None:
    caller = client.open("plan.md", PLAN)
    client.findings(caller)
    marked = _marked(SHORTEN, f"`/lib/utils/{MARK}shorten`")
    places = client.ask_in("lib/shorten.md", marked, "references", context={"includeDeclaration": False})
    assert [place["uri"] for place in places] == [caller]


def test_symbols_are_blocks_with_their_nodes(client: LanguageClient) -> None:
    uri = client.open("plan.md", PLAN)
    [block] = client.request("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
    assert block["name"] == "/main/plan"
    assert [(node["name"], node["detail"]) for node in block["children"]] == [
        ("fetch", "tool_call"),
        ("write", "dsl_call"),
        ("done", "end"),
    ]


APP = """\
### AgenticDSL `/__meta__`
```yaml
version: "3.10"
mode: dev
entry_point: "/main/plan"
```

"""


@pytest.mark.parametrize(
    ("around", "word"),
    [
        (f'entry_point: "/main/pl{MARK}an"', "/main/plan"),
        (f"entry: fe{MARK}tch", "fetch"),
        (f'- {{lib: "/lib/utils/sho{MARK}rten@^1.0"}}', "/lib/utils/shorten"),
        (f'on_error: "/main/plan/do{MARK}ne"', "done"),
        (f'wait_for: ["/main/plan/fe{MARK}tch"]', "fetch"),
    ],
)
def test_every_kind_of_reference_leads_somewhere(client: LanguageClient, around: str, word: str) -> None:
    text = APP + PLAN.replace(
        "nodes:\n", 'requires:\n  - {lib: "/lib/utils/shorten@^1.0"}\nentry: fetch\nnodes:\n'
    ).replace(
        'output_keys: ["text"]\n',
        'output_keys: ["text"]\n    wait_for: ["/main/plan/fetch"]\n    on_error: "/main/plan/done"\n',
    )
    client.findings(client.open("warm.md", text))
    marked = _marked(text, around)
    [place] = client.ask_in("plan.md", marked, "definition")
    target = SHORTEN if place["uri"].endswith("shorten.md") else text
    assert _at(target, place).strip('"') == word
    assert client.ask_in("plan.md", marked, "hover") is not None


# --- completion ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "first", "absent"),
    [
        ("nodes:\n", f'requires:\n  - lib: "/lib/{MARK}"\nnodes:\n', ["/lib/utils/shorten"], ["/main/plan/done"]),
        ("nodes:\n", f"entry: {MARK}\nnodes:\n", ["fetch", "write"], ["/end_soft", "/main/plan/fetch"]),
        ("    type: end", f"    wait_for: [{MARK}]\n    type: end", ["/main/plan/write"], ["/end_soft"]),
        ("    type: end", f"    type: end\n    output_keys: [{MARK}]", ["text", "found", "short"], ["length"]),
        ("    type: end", f"    type: fork\n    fork:\n      branches: [{MARK}]", ["/main/plan/write"], ["/end_soft"]),
        ("    type: end", f"    type: fork\n    fork:\n      {MARK}", ["branches"], ["id"]),
        ("    type: end", f"    type: join\n    join: {{merge_strategy: {MARK}}}", ["deep_merge"], ["id"]),
        ("    type: end", f"    type: {MARK}", ["start", "end", "tool_call"], ["resource_declare", "llm_call"]),
        ("    type: end", f"    type: to{MARK}", ["tool_call"], ["start"]),
        ("    type: end\n", f"    type: end\n    {MARK}\n", ["output_keys", "metadata"], ["id", "type", "tool"]),
        ("    type: end\n", f"    type: end\n    out{MARK}\n", ["output_keys"], ["next"]),
        ("    tool: web_search\n", f"    tool: web_search\n    on_{MARK}\n", ["on_error"], ["on_failure"]),
        ("    tool: web_search", f"    tool: {MARK}", ["web_search"], []),
        ("      query:", f"      {MARK}\n      query:", ["limit"], ["query"]),
        ('next: ["/main/plan/write"]', f"next: [{MARK}", ["/main/plan/write", "/main/plan/done"], ["/main/plan/fetch"]),
        ('next: ["/main/plan/write"]', f'next: ["/lib/utils/{MARK}"]', ["/lib/utils/shorten"], ["/main/plan/done"]),
        ('next: ["/main/plan/write"]', f'next: ["/lib/hum{MARK}', ["/lib/human/approval"], ["/main/plan/done"]),
        ('next: ["/main/plan/write"]', f"next:\n      - {MARK}", ["/main/plan/write", "/end_soft"], []),
        ('    output_keys: ["text"]', f"    on_error: {MARK}\n    output_keys: [text]", ["/main/plan/done"], []),
        ("Summarise {{ found }}", f"Summarise {{{{ {MARK} }}}}", ["found", "topic", "length"], ["text"]),
        ('"Summarise {{ found }}"', f'"Summarise {{{{ fo{MARK}', ["found"], ["topic"]),
        ("graph_type: subgraph\n", f"graph_type: {MARK}\n", ["subgraph"], []),
        ("graph_type: subgraph\n", f"graph_type: subgraph\n{MARK}\n", ["permissions", "requires"], ["signature", "id"]),
        ("    type: end\n", f"    type: end\n    metadata:\n      {MARK}\n", ["termination_mode"], ["id"]),
        ("    llm_tool_name:", f"    llm_params:\n      te{MARK}\n    llm_tool_name:", ["temperature"], ["id"]),
        ("  - id: done\n    type: end", f"  - {{id: done, ty{MARK}}}", ["type"], ["id"]),
        ("  - id: done\n    type: end", f"  - {{id: done, type: {MARK}}}", ["end"], []),
        ("  - id: done\n    type: end", f"  - id: done\n    type: end\n  - {MARK}", ["id", "type"], []),
    ],
)
def test_completion_offers_what_can_stand_there(
    client: LanguageClient, old: str, new: str, first: list[str], absent: list[str]
) -> None:
    assert PLAN.count(old) == 1
    client.findings(client.open("warm.md", PLAN))
    labels = _labels(client.ask_in("plan.md", TOOLS + PLAN.replace(old, new), "completion"))
    assert [label for label in first if label not in labels] == []
    assert [label for label in absent if label in labels] == []


@pytest.mark.parametrize(
    ("old", "new", "label", "result"),
    [
        ('["/main/plan/write"]', MARK, "/main/plan/write", 'next: ["/main/plan/write"]\n'),
        ('["/main/plan/write"]', f"[{MARK}]", "/main/plan/write", 'next: ["/main/plan/write"]\n'),
        ('["/main/plan/write"]', f'["wr{MARK}"]', "/main/plan/write", 'next: ["/main/plan/write"]\n'),
        ('["/main/plan/write"]', f'["/main/pl{MARK}an/other"]', "/main/plan/write", 'next: ["/main/plan/write"]\n'),
        ("type: tool_call", f"ty{MARK}", "type", "    type: \n"),
    ],
)
def test_a_completion_is_put_where_the_word_stands(
    client: LanguageClient, old: str, new: str, label: str, result: str
) -> None:
    text, position = unmarked(PLAN.replace(old, new))
    items = client.ask("completion", client.open("plan.md", text), position)["items"]
    item = next(item for item in items if item["label"] == label)
    assert result in applied(text, [item["textEdit"]])


def test_completion_documents_what_it_offers(client: LanguageClient) -> None:
    items = client.ask_in("plan.md", PLAN.replace("type: end", f"type: {MARK}"), "completion")["items"]
    assert "Waits for its sources" in next(i for i in items if i["label"] == "join")["documentation"]["value"]


def test_tools_of_a_tools_file_are_offered(work: Path) -> None:
    (work / "tools.json").write_text(json.dumps([{"name": "send_mail", "description": "Send a mail."}]))
    with LanguageClient(work, "--tools", "tools.json") as client:
        answer = client.ask_in("plan.md", PLAN.replace("tool: web_search", f"tool: {MARK}"), "completion")
        assert _labels(answer) == ["send_mail"]


# --- formatting and code actions --------------------------------------------------------------------------------------


def test_formatting_gives_the_canonical_layout_with_few_edits(client: LanguageClient) -> None:
    from agentic_dsl.compiler.parse.document import parse
    from agentic_dsl.format import format_document

    canonical = format_document(parse(PLAN))
    text = canonical.replace("    type: end\n", "    type:   end\n")
    uri = client.open("plan.md", text)
    asked = {"textDocument": {"uri": uri}, "options": {"tabSize": 2, "insertSpaces": True}}
    edits = client.request("textDocument/formatting", asked)
    assert applied(text, edits) == canonical
    assert [edit["newText"] for edit in edits] == ["    type: end\n"]
    client.change(uri, canonical, 2)
    assert client.request("textDocument/formatting", asked) == []


def test_a_document_with_errors_is_not_formatted(client: LanguageClient) -> None:
    uri = client.open("plan.md", PLAN.replace("nodes:", "nodes: ]"))
    asked = {"textDocument": {"uri": uri}, "options": {"tabSize": 2, "insertSpaces": True}}
    assert client.request("textDocument/formatting", asked) == []


def _everything(text: str) -> dict[str, Any]:
    return {"start": {"line": 0, "character": 0}, "end": {"line": text.count("\n"), "character": 0}}


def _actions(client: LanguageClient, uri: str, text: str, only: list[str] | None = None) -> list[dict[str, Any]]:
    context = {"diagnostics": [], **({"only": only} if only else {})}
    asked = {"textDocument": {"uri": uri}, "range": _everything(text), "context": context}
    return list(client.request("textDocument/codeAction", asked))


def test_a_safe_fix_is_a_preferred_quick_fix_that_removes_the_finding(client: LanguageClient) -> None:
    text = PLAN.replace('"/main/plan/done"', '"done"')
    uri = client.open("plan.md", text)
    before = _codes(client.findings(uri, 1))
    action = next(a for a in _actions(client, uri, text, ["quickfix"]) if a["isPreferred"])
    [finding] = action["diagnostics"]
    client.change(uri, applied(text, action["edit"]["changes"][uri]), 2)
    after = _codes(client.findings(uri, 2))
    assert after.count(finding["code"]) < before.count(finding["code"])


def test_an_unsafe_fix_is_not_preferred_and_says_so(client: LanguageClient) -> None:
    from agentic_dsl.compiler.lint.project import Project
    from agentic_dsl.compiler.lint.registry import RULES
    from agentic_dsl.compiler.lint.report import judged

    rules = (rule for rule in RULES if rule.fixable and not rule.bad.library and rule.bad.constraints is None)
    texts = (rule.bad.document() for rule in rules if not rule.bad.costly and not rule.bad.options)
    text = next(
        text
        for text in texts
        for finding in judged(Project({"p.md": text.encode("utf-8", "surrogateescape")}).lint()["p.md"])
        if finding.fix is not None and not finding.fix.safe
    )
    uri = client.open("p.md", text)
    unsafe = [action for action in _actions(client, uri, text, ["quickfix"]) if not action["isPreferred"]]
    assert unsafe
    assert all("the meaning may change" in action["title"] for action in unsafe)


def test_fix_all_does_what_lint_does(client: LanguageClient) -> None:
    from agentic_dsl.compiler.lint.project import Project
    from agentic_dsl.compiler.lint.selection import Selection

    text = PLAN.replace('"/main/plan/done"', '"done"').replace('["/main/plan/write"]', "[write]")
    uri = client.open("plan.md", text)
    client.findings(uri)
    [action] = _actions(client, uri, text, ["source.fixAll"])
    assert action["kind"] == "source.fixAll.agenticDsl"
    resolved = client.request("codeAction/resolve", action)
    files = {"plan.md": text.encode(), "lib/shorten.md": SHORTEN.encode()}
    fixed, count = Project(files, ["lib/shorten.md"]).fix("plan.md", Selection(), unsafe=False)
    assert count >= 2
    assert applied(text, resolved["edit"]["changes"][uri]) == fixed.source.text


# --- robustness ------------------------------------------------------------------------------------------------------


def test_every_beginning_of_a_document_can_be_asked_about_anything(client: LanguageClient) -> None:
    text = TOOLS + PLAN + SHORTEN
    uri = client.open("plan.md", "")
    for version, length in enumerate(range(0, len(text), 23), 2):
        beginning = text[:length]
        client.change(uri, beginning, version)
        _, position = unmarked(beginning + MARK)
        client.ask("completion", uri, position)
        client.ask("hover", uri, {**position, "character": max(position["character"] - 2, 0)})
        client.ask("definition", uri, position)
        client.request("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
    client.findings(uri, version)


def test_nonsense_in_messages_does_not_end_the_server(own: LanguageClient) -> None:
    uri = own.open("plan.md", PLAN)
    own.send(b"{nonsense")
    own.send({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {"textDocument": 3}})
    own.notify("agentic/unknown", {})
    own.ask("hover", own.uri("never-opened.md"), {"line": 3, "character": 9})
    far = {"line": 10_000, "character": 10_000}
    assert own.ask("hover", uri, far) is None
    own.close(own.uri("never-opened.md"))
    assert own.ask("hover", uri, unmarked(_marked(PLAN, f"type: tool{MARK}_call"))[1]) is not None


def test_a_document_that_is_too_large_has_one_finding_and_no_answers(client: LanguageClient) -> None:
    uri = client.open("plan.md", PLAN + "x" * (9 << 20))
    assert _codes(client.findings(uri)) == ["ADL001"]
    assert client.ask("completion", uri, {"line": 8, "character": 10}) is None


def test_a_handler_that_fails_is_logged_and_answered_with_nothing(work: Path) -> None:
    broken = (
        "from agentic_dsl.cli.language_server import hover\n"
        "def fail(*arguments): raise RuntimeError('out of order')\n"
        "hover.hover = fail\n"
    )
    import language_client

    command = language_client._COMMAND
    try:
        language_client._COMMAND = broken + command
        with LanguageClient(work) as client:
            assert client.ask_in("plan.md", _marked(PLAN, f"type: tool{MARK}_call"), "hover") is None
            assert _labels(client.ask_in("two.md", PLAN.replace("type: end", f"type: en{MARK}"), "completion"))
            assert any("out of order" in message for message in client.messages)
            assert "RuntimeError: out of order" in client.stderr
    finally:
        language_client._COMMAND = command


def test_an_editor_that_goes_away_ends_the_server(work: Path) -> None:
    with LanguageClient(work) as client:
        assert client.process.stdin is not None
        client.process.stdin.close()
        assert client.process.wait(10) == 1
