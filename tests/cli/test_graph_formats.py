"""`graph --as`: Mermaid, DOT and SVG of documents, of hostile ones too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import Cli

Example = Callable[[str], Path]

SVG = "{http://www.w3.org/2000/svg}"

HOSTILE = (
    "</script><script>alert(1)</script>",
    '"]; evil["x',
    "a\\N & &lt; \\",
    "%%{init: {'theme': 'dark'}}%%",
    "style x:#fff;",
    "`**bold**`",
    "]]><!-- -->",
    "left\u202eright\u2066\u200b",
    "\u0085\u2028x\ufffe",
    "1. list; end",
    "#quot;#35;",
)
"""Names that would break a drawing if they reached it as they are."""


def document_of(*nodes: str, path: str = "/main/x") -> str:
    body = "\n".join(f"  - {node}" for node in nodes)
    return f"### AgenticDSL `{path}`\n```yaml\ngraph_type: subgraph\nnodes:\n{body}\n```\n"


def hostile_document() -> str:
    """Hostile texts as ids, tools, keys, prompts and references."""
    nodes = [
        f"{{id: {json.dumps(text)}, type: tool_call, tool: {json.dumps(text)}, output_keys: [{json.dumps(text)}], "
        f"arguments: {{q: {json.dumps(text)}}}, on_error: {json.dumps('/main/' + text)}, next: {json.dumps(text)}}}"
        for text in HOSTILE
    ]
    return document_of(*nodes)


CALLS = document_of(
    '{id: a, type: assign, assign: {prompt: "p", model: "m", seed: 1}, '
    'next: ["/lib/reasoning/generate_text@v1", "/lib/not/there@v1", b]}',
    '{id: b, type: tool_call, tool: t, output_keys: [k], on_error: c, next: "/__system__/end_soft"}',
    "{id: c, type: end}",
)


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("o.mmd", "flowchart TB\n"),
        ("o.mermaid", "flowchart TB\n"),
        ("o.dot", "digraph {\n"),
        ("o.gv", "digraph {\n"),
        ("o.SVG", "<svg "),
        ("o.html", "<!DOCTYPE html>\n"),
        ("o.txt", "/main/trip\n"),
    ],
)
def test_the_suffix_of_the_file_says_what_is_drawn(cli: Cli, example: Example, name: str, begins: str) -> None:
    result = cli("graph", example("trip.md"), "-o", name)
    assert (result.code, result.out, result.err) == (0, "", f"wrote {name}\n")
    assert Path(name).read_text(encoding="utf-8").startswith(begins)


def test_as_goes_before_the_suffix_and_to_stdout_without_a_file(cli: Cli, example: Example) -> None:
    file = example("trip.md")
    cli("graph", file, "--as", "dot", "-o", "o.svg")
    assert cli("graph", file, "--as", "dot").out == Path("o.svg").read_text(encoding="utf-8")


def test_a_text_drawing_in_a_file_is_the_one_on_stdout(cli: Cli, example: Example) -> None:
    file = example("trip.md")
    cli("graph", file, "-o", "o.txt")
    assert Path("o.txt").read_text(encoding="utf-8") == cli("graph", file).out


def test_json_holds_the_drawing_and_the_diagram(cli: Cli, example: Example) -> None:
    file = example("broken.md")
    record = json.loads(cli("graph", file, "--as", "mermaid", "--format", "json").out)
    assert record["as"] == "mermaid"
    assert record["drawing"] == cli("graph", file, "--as", "mermaid").out
    found = [(item["name"], f["code"]) for item in record["diagram"]["items"] for f in item["findings"]]
    assert ("summarise", "ADL301") in found


def test_ascii_is_refused_for_what_is_no_text(cli: Cli, example: Example) -> None:
    result = cli("graph", example("trip.md"), "--ascii", "--as", "svg")
    assert result.code == 2
    assert "--ascii is about text" in result.err


def test_a_document_with_errors_is_drawn_and_says_so(cli: Cli, folder: Path) -> None:
    Path("x.md").write_text(CALLS.replace("tool: t, ", "tool: [1], "), encoding="utf-8")
    result = cli("graph", "x.md", "-o", "x.svg")
    assert result.code == 1
    assert "has errors" in result.err
    assert Path("x.svg").exists()


def test_mermaid_draws_calls_dashed_and_failures_in_their_own_style(cli: Cli) -> None:
    lines = cli("graph", "-", "--as", "mermaid", stdin=CALLS).out.splitlines()
    assert '    c0_1[["/lib/reasoning/generate_text#64;v1<br/>library call"]]:::t_other' in lines
    assert "  n0 -.-> c0_1" in lines
    assert "  c0_1 -.-> c0_2" in lines
    assert "  c0_2 --> n1" in lines
    [jump] = [line for line in lines if "on_error" in line]
    assert jump == '  n1 -.->|"on_error"| n2'
    arrows = [line for line in lines if "->" in line and "[" not in line]
    assert f"  linkStyle {arrows.index(jump)} stroke:#b3261e,stroke-dasharray:2 4" in lines
    assert "  class c0_1,c0_2 library" in lines


MERMAID_LINE = re.compile(
    r"""flowchart\ TB
    | \ +subgraph\ b\d+\ \["(?P<a>[^"]*)"\]
    | \ +end
    | \ +[ncx][0-9_]+(\[|\[\[|\(\[)"(?P<b>[^"]*)"(\]|\]\]|\]\)):::t_[a-z_]+
    | \ +[ncx][0-9_]+\ (-->|-\.->)(\|"[a-z_]+"\|)?\ [ncx][0-9_]+
    | \ +classDef\ [a-z_]+\ [a-z0-9:#,\- ]+
    | \ +class\ [a-z0-9_,]+\ [a-z]+
    | \ +linkStyle\ [\d,]+\ [a-z0-9:#,\- ]+""",
    re.VERBOSE,
)
MERMAID_WORDS = {"call", "href", "click", "default", "end", "graph", "style", "interpolate", "subgraph"}
"""Words that Mermaid's lexer takes for something else than a name."""

SAFE_LABEL = re.compile(r"(\w|[_/, →✖▲●]|#\d+;|<br/>)*")


@pytest.mark.parametrize("document", [CALLS, hostile_document()], ids=["calls", "hostile"])
def test_mermaid_has_only_lines_of_its_grammar_whatever_names_there_are(cli: Cli, document: str) -> None:
    text = cli("graph", "-", "--as", "mermaid", stdin=document).out
    for line in text.splitlines():
        match = MERMAID_LINE.fullmatch(line)
        assert match, line
        assert not MERMAID_WORDS & set(re.findall(r"(?<=classDef )\w+|\w+$", line) if " class" in line else ()), line
        assert SAFE_LABEL.fullmatch(match["a"] or match["b"] or ""), line
    assert text.count(":::t_tool_call") == document.count("type: tool_call")


def dot_tokens(text: str) -> list[tuple[str, str]]:
    """The tokens of a DOT text by the grammar of Graphviz: quoted strings end at the first unescaped quote."""
    pattern = re.compile(r'(?P<space>\s+)|"(?P<string>(?:[^"\\]|\\.)*)"|(?P<word>[\w.#]+)|(?P<sign>->|[{}\[\]=;,])')
    tokens, at = [], 0
    while at < len(text):
        match = pattern.match(text, at)
        assert match, text[at : at + 60]
        at = match.end()
        if match.lastgroup != "space":
            tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
    return tokens


def test_dot_of_hostile_names_is_read_as_strings(cli: Cli) -> None:
    text = cli("graph", "-", "--as", "dot", stdin=hostile_document()).out
    tokens = dot_tokens(text)
    strings = [value for kind, value in tokens if kind == "string"]
    # Behind a backslash stands nothing but what we mean: a line end, a quote, a backslash.
    assert {escape[1] for value in strings for escape in re.findall(r"\\.", value)} <= set('n"\\')
    assert all(re.fullmatch(r"(&amp;|[^&])*", value) for value in strings)
    words = {value for kind, value in tokens if kind == "word"}
    assert not words & {"evil", "script", "alert"}
    depth = 0
    for kind, value in tokens:
        depth += (value in "{[") - (value in "}]") if kind == "sign" and value in "{}[]" else 0
        assert depth >= 0
    assert depth == 0
    assert sum(value.startswith("n") and value[1:].isdigit() for value in strings) >= len(HOSTILE)


def test_dot_draws_calls_dashed_and_the_critical_path_thick(cli: Cli) -> None:
    lines = [line.strip() for line in cli("graph", "-", "--as", "dot", stdin=CALLS).out.splitlines()]
    assert '"n0" -> "c0_1" [style=dashed, color="#0b57d0", penwidth=2.5];' in lines
    assert '"c0_2" -> "n1" [style=solid, color="#0b57d0", penwidth=2.5];' in lines
    assert '"n1" -> "n2" [style=dotted, label="on_error", color="#b3261e"];' in lines


@pytest.mark.parametrize("text", [CALLS, hostile_document()], ids=["calls", "hostile"])
def test_svg_is_xml_with_every_item_and_way(cli: Cli, text: str) -> None:
    root = ElementTree.fromstring(cli("graph", "-", "--as", "svg", stdin=text).out)
    record = json.loads(cli("graph", "-", "--as", "svg", "--format", "json", stdin=text).out)["diagram"]
    items = [g for g in root.iter(f"{SVG}g") if "aria-label" in g.attrib]
    ways = [p for p in root.iter(f"{SVG}path") if "data-from" in p.attrib]
    assert len(items) == len(record["items"])
    assert {(p.get("data-from"), p.get("data-to")) for p in ways} == {
        (way["source"], way["target"]) for way in record["ways"]
    }
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg", "style", "rect", "defs", "marker", "path", "g", "text", "title",
    }  # fmt: skip
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name]


def test_no_drawing_holds_characters_that_reorder_or_hide_text(cli: Cli) -> None:
    for drawing in ("mermaid", "dot", "svg", "html"):
        text = cli("graph", "-", "--as", drawing, stdin=hostile_document()).out
        assert not set(text) & set("\u202e\u2066\u200b\u0085\u2028\ufffe\x1b"), drawing


def test_svg_shows_calls_failures_critical_path_and_findings(cli: Cli) -> None:
    root = ElementTree.fromstring(cli("graph", "-", "--as", "svg", stdin=CALLS).out)
    classes = [(element.get("class") or "").split() for element in root.iter()]
    assert sum("way" in c and "call" in c and "critical" in c for c in classes) == 2
    assert any("way" in c and "jump" in c for c in classes)
    marked = [e.text for e in root.iter(f"{SVG}text") if (e.get("class") or "").startswith("mark-")]
    assert any(text and "ADL301" in text for text in marked)


def test_one_subgraph_of_several_is_drawn_and_the_other_is_elsewhere(cli: Cli) -> None:
    text = document_of("{id: a, type: start, next: /main/y/b}") + document_of("{id: b, type: end}", path="/main/y")

    def items(*more: str) -> list[tuple[str, str, int]]:
        record = json.loads(cli("graph", "-", "--as", "dot", "--format", "json", *more, stdin=text).out)
        return [(item["name"], item["kind"], item["block"]) for item in record["diagram"]["items"]]

    assert items() == [("a", "node", 0), ("b", "node", 1)]
    assert items("--path", "/main/x") == [("a", "node", 0), ("/main/y/b", "outside", 0)]
    assert items("--path", "/main/y") == [("b", "node", 0)]


def test_a_library_makes_its_calls_known(cli: Cli, folder: Path) -> None:
    entry = "### AgenticDSL `/lib/not/there`\n```yaml\nsignature: '(x?: string) -> {y: string}'\n```\n"
    (folder / "lib").mkdir()
    (folder / "lib" / "there.md").write_text(entry, encoding="utf-8")

    def call(*more: str) -> dict[str, object]:
        out = cli("graph", "-", "--as", "dot", "--format", "json", *more, stdin=CALLS).out
        [item] = [i for i in json.loads(out)["diagram"]["items"] if i["key"] == "c0_2"]
        return dict(item["fields"])

    assert "signature" not in call()
    assert "x" in str(call("--lib", "lib")["signature"])


def test_mermaid_says_where_its_own_limits_are_passed(cli: Cli) -> None:
    nodes = [f"{{id: n{i}, type: assign, assign: {{k: '{{{{ x }}}}'}}, next: n{i + 1}}}" for i in range(520)]
    result = cli("graph", "-", "--as", "mermaid", stdin=document_of(*nodes, "{id: n520, type: end}"))
    assert "500 edges unless it is told otherwise" in result.err


def test_the_legend_of_a_picture_names_every_colour_and_fits(cli: Cli) -> None:
    types = (
        "start",
        "end",
        "assign",
        "tool_call",
        "codelet_call",
        "dsl_call",
        "assert",
        "generate_subgraph",
        "nonsense",
    )
    nodes = [f"{{id: n{number}, type: {name}}}" for number, name in enumerate(types)]
    root = ElementTree.fromstring(cli("graph", "-", "--as", "svg", stdin=document_of(*nodes)).out)
    legend = [e for e in root if e.tag == f"{SVG}text" and (e.text in types or e.text == "call, end or not known")]
    assert [e.text for e in legend] == [*types[:-1], "call, end or not known"]
    last = legend[-1]
    assert float(last.get("x", "0")) + 7.3 * len(str(last.text)) <= float(root.get("width", "0"))
