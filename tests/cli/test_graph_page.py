"""The page of `graph --as html`: nothing of a document becomes markup, and nothing is loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from conftest import Cli
from test_graph_formats import CALLS, HOSTILE, document_of, hostile_document

VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """A page as its elements; tags that do not match are errors."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(cli: Cli, text: str) -> tuple[str, Page]:
    out = cli("graph", "-", "--as", "html", stdin=text).out
    return out, Page(out)


@pytest.mark.parametrize("text", [CALLS, hostile_document()], ids=["calls", "hostile"])
def test_the_elements_are_the_same_whatever_the_document_says(cli: Cli, text: str) -> None:
    _, page = page_of(cli, text)
    known = {"html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "label", "input", "output"}
    known |= {"button", "main", "div", "aside", "section", "ol", "ul", "li", "span", "script"}
    known |= {"svg", "defs", "marker", "path", "rect", "text", "g"}
    assert {tag for tag, _ in page.elements} <= known
    assert len(page.all("script")) == 2
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_the_policy_forbids_everything_but_the_style_and_script_of_the_page(cli: Cli) -> None:
    _, page = page_of(cli, CALLS)
    [policy] = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules == {
        "default-src": "'none'",
        "script-src": hashed(page.texts["script"][1]),
        "style-src": hashed(page.texts["style"][0]),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not any("style" in attributes for _, attributes in page.elements)


def test_the_page_names_no_other_place(cli: Cli) -> None:
    text, page = page_of(cli, CALLS)
    assert set(re.findall(r"https?://[^\s\"'<>]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not [a for _, a in page.elements if {"src", "href", "xlink:href", "action"} & set(a)]
    assert "@import" not in text
    assert all(target.startswith("url(#") for target in re.findall(r"url\([^)]*\)", text))


@pytest.mark.parametrize("text", [CALLS, hostile_document()], ids=["calls", "hostile"])
def test_the_data_in_the_page_is_the_diagram(cli: Cli, text: str) -> None:
    out, page = page_of(cli, text)
    block = page.texts["script"][0]
    assert block.isascii()
    assert not set(block) & set("<>&")
    record = json.loads(cli("graph", "-", "--as", "html", "--format", "json", stdin=text).out)
    assert json.loads(block) == record["diagram"]
    assert out == record["drawing"]


def test_fields_are_those_of_the_json_view_unchanged(cli: Cli) -> None:
    _, page = page_of(cli, hostile_document())
    items = json.loads(page.texts["script"][0])["items"]
    tools = [item["fields"] for item in items if item["type"] == "tool_call"]
    assert [fields["id"] for fields in tools] == list(HOSTILE)
    assert [fields["arguments"] for fields in tools] == [{"q": text} for text in HOSTILE]


def test_style_and_script_survive_any_encoding_of_the_output(cli: Cli) -> None:
    _, page = page_of(cli, CALLS)
    assert page.texts["script"][1].isascii()
    assert page.texts["style"][0].isascii()


def test_a_long_path_is_in_the_page_once_and_not_at_each_node(cli: Cli) -> None:
    long = "/main/" + "a" * 20_000
    nodes = [f"{{id: n{i}, type: assign, assign: {{k: x}}, next: n{i + 1}}}" for i in range(50)]
    text, _ = page_of(cli, document_of(*nodes, "{id: n50, type: end}", path=long))
    assert text.count(long) == 1


def test_every_item_has_a_label_and_can_be_reached_by_keyboard(cli: Cli) -> None:
    _, page = page_of(cli, CALLS)
    record = json.loads(page.texts["script"][0])
    drawn = {g["id"]: g for g in page.all("g") if g.get("role") == "button"}
    assert list(drawn) == [item["key"] for item in record["items"]]
    assert all(g["tabindex"] == "0" and g["aria-label"] for g in drawn.values())
    assert drawn["n1"]["aria-label"] == "b, tool_call, on the critical path"


def test_every_finding_is_listed_and_leads_to_its_node(cli: Cli) -> None:
    _, page = page_of(cli, CALLS)
    record = json.loads(page.texts["script"][0])
    expected = [item["key"] for item in record["items"] for _ in item["findings"]]
    assert expected
    assert [b["data-key"] for b in page.all("button") if "data-key" in b] == expected
    total = len(expected) + len(record["findings"]) + sum(len(block["findings"]) for block in record["blocks"])
    assert len(page.texts["li"]) >= total


def test_a_document_of_several_blocks_has_a_frame_each(cli: Cli) -> None:
    text = "\n".join(document_of("{id: a, type: end}", path=f"/main/x{number}") for number in range(5))
    _, page = page_of(cli, text)
    assert sum(rect.get("class") == "frame" for rect in page.all("rect")) == 5
