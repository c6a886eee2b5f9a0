import gc
from collections.abc import Iterator

import pytest
from checking import application, block, codes_of, errors_of, findings, only, subgraph

from agentic_dsl.ast import Document
from agentic_dsl.compiler import check as check_module
from agentic_dsl.compiler import library as library_module
from agentic_dsl.compiler import resolution as resolution_module
from agentic_dsl.compiler.checks import context as context_module
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.library import Library, LibraryEntry, entries_of
from agentic_dsl.compiler.parse.collector import PAUSE_LENGTH
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.diagnostics import Diagnostic

VALID = """
- {id: s, type: start, next: e}
- {id: e, type: end}
"""


def test_a_small_subgraph_is_valid() -> None:
    assert findings(subgraph(VALID)) == []


def test_two_nodes_must_not_share_an_id() -> None:
    found = only(subgraph(VALID + "- {id: e, type: end}\n"))
    assert found[:3] == ("ADL201", "e", 'two nodes of "/main/p" have the id "e"')


def test_two_blocks_must_not_share_a_path() -> None:
    found = only(subgraph(VALID) + subgraph(VALID))
    assert found[:3] == ("ADL202", "/main/p", 'two blocks have the path "/main/p"')


def test_libraries_may_share_a_path_when_their_major_versions_differ() -> None:
    keys = 'signature: "() -> ()"\nversion: "{}"'
    one, two = (subgraph(VALID, "/lib/x/y", keys.format(version)) for version in ("1.2", "2.0"))
    assert codes_of(one + two) == []
    assert codes_of(one + subgraph(VALID, "/lib/x/y", keys.format("1.3"))) == ["ADL202"]


def test_a_path_must_not_be_one_of_the_library_either() -> None:
    text = subgraph(VALID, "/lib/x/y", 'signature: "() -> ()"')
    library = Library.of([parse(text, path="lib.md")])
    found = only(text, library=library)
    assert found.message == 'the library defines "/lib/x/y" version 1 too, in "lib.md"'


def test_a_file_of_the_library_does_not_collide_with_itself() -> None:
    text = subgraph(VALID, "/lib/x/y", 'signature: "() -> ()"')
    library = Library.of([parse(text, path="lib.md")])
    assert codes_of(parse(text, path="lib.md"), library=library) == []


def test_a_subgraph_has_nodes() -> None:
    assert "ADL212" in errors_of(block("/main/p", "graph_type: subgraph\nnodes: []"))


def test_an_entry_names_a_node() -> None:
    found = only(subgraph("- {id: fetch, type: end}", keys="entry: fetsh"))
    assert found[:2] == ("ADL214", "fetsh")
    assert found.help == 'write "fetch" if that is meant'


def test_an_entry_is_no_declaration() -> None:
    nodes = "- {id: r, type: resource, resource_type: file, uri: x}"
    assert errors_of(subgraph(nodes, keys="entry: r")) == ["ADL214"]


def test_start_occurs_once() -> None:
    found = only(subgraph(VALID.replace("next: e", "next: t") + "- {id: t, type: start, next: e}"))
    assert found[:2] == ("ADL206", "start")


def test_start_is_the_entry() -> None:
    nodes = "- {id: a, type: assign, assign: {x: 1}, next: s}\n" + VALID.strip()
    assert "ADL206" in errors_of(subgraph(nodes, keys="entry: a"))


def test_an_application_names_its_entry_point() -> None:
    assert codes_of(application(VALID)) == []
    assert "ADL213" in errors_of(block("/__meta__", 'version: "3.10"') + subgraph(VALID))


def test_an_entry_point_may_be_a_node() -> None:
    meta = block("/__meta__", "entry_point: /main/p/s")
    assert codes_of(meta + subgraph(VALID)) == []


def test_an_entry_point_is_in_the_document() -> None:
    found = only(block("/__meta__", "entry_point: /main/q") + subgraph(VALID))
    assert found[:2] == ("ADL213", "/main/q")
    assert found.help == 'write "/main/p" if that is meant'


def test_an_entry_point_is_no_end() -> None:
    assert errors_of(block("/__meta__", "entry_point: /end") + subgraph(VALID)) == ["ADL213"]


def test_an_unknown_type_is_an_error_only_in_strict_mode() -> None:
    text = subgraph("- {id: s, type: start, next: x}\n- {id: x, type: tol_call, next: e}\n- {id: e, type: end}")
    found = only(text)
    assert found[:2] == ("ADL406", "tol_call")
    assert "tool_call" in (found.help or "")
    assert found.severity == "error"
    assert only(text, mode="lenient").severity == "warning"


def test_what_an_unknown_node_writes_is_not_guessed() -> None:
    nodes = """
    - {id: x, type: web_search, output_keys: [hits], next: a}
    - {id: a, type: assign, assign: {y: "{{ hits }}"}, next: e}
    - {id: e, type: end}
    """
    assert codes_of(subgraph(nodes, keys='signature: "() -> {y: any, z: any}"')) == ["ADL406"]


def test_resources_are_declared_in_their_block_only() -> None:
    nodes = "- {id: r, type: resource_declare, resources: []}\n- {id: e, type: end}"
    assert "ADL121" in errors_of(subgraph(nodes))


def test_a_fork_with_one_branch_is_doubtful() -> None:
    nodes = "- {id: f, type: fork, fork: {branches: [e]}}\n- {id: e, type: end}"
    found = only(subgraph(nodes))
    assert (found.code, found.severity) == ("ADL207", "warning")


def test_the_collector_is_paused_for_a_large_document_and_as_it_was_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def look(_context: CheckContext) -> Iterator[Diagnostic]:
        seen.append(gc.isenabled())
        return iter(())

    monkeypatch.setattr(check_module, "PASSES", (look,))
    for length in (0, PAUSE_LENGTH):
        check_module.check(parse(subgraph("- {id: e, type: end}") + " " * length))
        assert gc.isenabled()
    assert seen == [True, False]


def test_checking_a_file_of_a_library_does_not_read_the_other_files_again(monkeypatch: pytest.MonkeyPatch) -> None:
    end = "- {id: e, type: end, output_keys: []}"
    texts = [subgraph(end, f"/lib/utils/f{n}", 'signature: "() -> ()"') for n in range(40)]
    library = Library.of(parse(text, path=f"f{n}.md") for n, text in enumerate(texts))
    assert len(library.entries) == 40
    looked_at: list[Document] = []

    def recorded(document: Document) -> list[LibraryEntry]:
        looked_at.append(document)
        return entries_of(document)

    for module in (library_module, context_module, resolution_module):
        monkeypatch.setattr(module, "entries_of", recorded)
    for document in library.documents:
        assert [d.code for d in check_module.check(document, library=library)] == []
    assert len(looked_at) <= 2 * len(texts)


def test_two_meta_blocks_are_to_be_merged_not_renamed() -> None:
    meta = block("/__meta__", "entry_point: /main/p")
    [finding] = [found for found in findings(meta + meta + subgraph(VALID)) if found.code == "ADL202"]
    assert finding.help == "make one block of the two"
