"""The core standard library: files that say what ``language.md`` §8 says, read when they are called."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path as FilePath

import pytest

from agentic_dsl.ast import Contract
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.library_names import BUILTIN_FOLDER
from agentic_dsl.compiler.lint.project import Project
from agentic_dsl.compiler.lint.report import judged
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.parse.signature import parse_signature
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.compiler.standard_library import contract_paths, is_stated, standard_library
from agentic_dsl.constraints import Constraints
from agentic_dsl.format import format_document
from agentic_dsl.paths import Path, Version
from agentic_dsl.signature import Signature, Stability

LANGUAGE = """
/lib/dslgraph/generate · /lib/reasoning/{generate_text, structured_generate, try_catch, hypothesize_and_verify,
stepwise_assert, induce_and_archive, iper_loop, continue_from_kv, stream_until, fallback_text, fallback_structured} ·
/lib/reasoning/{counterfactual_compare, graph_guided_hypothesize, speculative_decode} ·
/lib/memory/state/{set, get_latest} · /lib/memory/kg/{query_subgraph, write_subgraph} ·
/lib/memory/vector/{store, recall} · /lib/memory/profile/{get, update} ·
/lib/conversation/{start_topic, switch_role, meeting} · /lib/workflow/parallel_map ·
/lib/tool/list_available · /lib/human/{clarify_intent, approval}
"""
"""What the language names."""

EXPERIMENTAL = {
    "/lib/reasoning/counterfactual_compare",
    "/lib/reasoning/graph_guided_hypothesize",
    "/lib/reasoning/speculative_decode",
    "/lib/workflow/parallel_map",
}

STATED = {
    "/lib/dslgraph/generate": "(prompt_template: string, signature_validation?: strict|warn|ignore, "
    "on_signature_violation?: string, on_generation_failure?: string, archive_on_success?: string) -> "
    "{generated_paths: array, success: boolean}",
    "/lib/reasoning/generate_text": "(prompt: string, model: string, seed: integer, temperature?: number = 0.0, "
    "max_tokens?: integer = 256) -> {text: string, kv_handle?: string}",
    "/lib/reasoning/structured_generate": "(prompt, model, seed, output_schema: object) -> {parsed_output: object}",
    "/lib/reasoning/hypothesize_and_verify": "(generator_path: string, verifier_path: string, "
    "max_hypotheses?: integer = 3) -> {verified_hypotheses: array, best_hypothesis: object}",
    "/lib/reasoning/try_catch": "(try_block: string, catch_block: string) -> {success: boolean}",
    "/lib/reasoning/iper_loop": "(user_intent: string, planner_path: string, max_reflections?: integer = 3) -> "
    "{final_result: object}",
    "/lib/memory/state/set": "(key: string, value: any) -> {success: boolean}",
    "/lib/memory/state/get_latest": "(key: string) -> {value?: any}",
    "/lib/memory/vector/store": "(text: string, metadata?: object) -> {success}",
    "/lib/memory/vector/recall": "(query: string, top_k?: integer = 3) -> {memories: array}",
    "/lib/human/approval": "(request: string) -> {approved: boolean, comment?: string}",
    "/lib/workflow/parallel_map": "(items: array, worker_path: string) -> {results: array}",
}
"""What the language states of them, in its words."""

FILES = sorted(BUILTIN_FOLDER.rglob("*"))


def named() -> set[str]:
    """The paths of `LANGUAGE`, braces written out."""
    found = set()
    for path, several in re.findall(r"(/lib/[a-z/_]+)(?:\{([^}]*)\})?", LANGUAGE):
        found |= {path + name.strip() for name in several.split(",")} if several else {path}
    return found


def test_there_is_a_file_for_each_contract_that_the_language_names_and_no_other() -> None:
    assert len(named()) == 30
    assert {str(path) for path in contract_paths()} == named()
    assert {file.suffix for file in FILES if file.is_file()} == {".md"}


@pytest.mark.parametrize("path", STATED)
def test_a_stated_contract_says_what_the_language_says(path: str) -> None:
    (entry,) = standard_library().by_path[Path(tuple(path[1:].split("/")))]
    expected = parse_signature(STATED[path])
    assert isinstance(expected, Signature)
    assert entry.signature == expected
    assert is_stated(entry)


def test_a_file_holds_the_one_contract_that_its_name_promises() -> None:
    for path, file in contract_paths().items():
        (block,) = parse(FilePath(file).read_text(encoding="utf-8")).blocks
        assert isinstance(block, Contract)
        assert block.path == path
        assert block.version == Version((1, 0))
        assert (block.stability is Stability.EXPERIMENTAL) == (str(path) in EXPERIMENTAL)


def test_what_the_language_does_not_state_requires_nothing() -> None:
    unstated = {str(entry.path) for entry in standard_library().entries if not is_stated(entry)}
    assert unstated == named() - STATED.keys()


def test_the_files_are_canonical_and_lint_finds_nothing_in_them() -> None:
    files = {str(file): file.read_bytes() for file in FILES if file.is_file()}
    project = Project(files)
    for name, document in project.documents.items():
        assert format_document(document).encode() == files[name], name
    assert [f.diagnostic for linted in project.lint().values() for f in judged(linted)] == []


@pytest.mark.parametrize(("step", "read"), [("/end", "0"), ("/lib/human/approval@v1?request=x", "1")])
def test_a_contract_is_read_when_it_is_called_and_the_others_are_not(step: str, read: str) -> None:
    code = (
        "import sys\n"
        "from agentic_dsl import parse, check\n"
        "from agentic_dsl.compiler import standard_library\n"
        "check(parse(sys.argv[1]))\n"
        "print(standard_library._document.cache_info().currsize)"
    )
    text = f"### AgenticDSL `/dynamic/p`\n```yaml\ntype: start\nnext: ['{step}']\n```\n"
    done = subprocess.run([sys.executable, "-c", code, text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == read


def test_the_name_builtin_stands_for_the_shipped_files() -> None:
    loaded = Library.load("builtin")
    assert [str(e.path) for e in loaded.entries] == [str(e.path) for e in standard_library().entries]
    assert loaded.findings == ()
    assert Library.load(["builtin"]).by_path == loaded.by_path


def test_a_library_beside_builtin_is_loaded_too(tmp_path: FilePath) -> None:
    text = '### AgenticDSL `/lib/x/y`\n```yaml\nsignature: "() -> ()"\n```\n'
    (tmp_path / "own.md").write_text(text, encoding="utf-8")
    assert len(Library.load(["builtin", tmp_path]).entries) == 31


@pytest.mark.parametrize("library", [None, Library.load("builtin")], ids=["alone", "named"])
def test_calls_of_unstated_contracts_are_not_judged_whether_the_library_is_named_or_not(
    library: Library | None,
) -> None:
    text = (
        "### AgenticDSL `/dynamic/p`\n```yaml\ngraph_type: subgraph\nnodes:\n"
        "  - {id: a, type: start, next: ['/lib/conversation/meeting@v1?anything=x', '/dynamic/p/b']}\n"
        "  - {id: b, type: assign, assign: {out: '{{ whatever_it_gives }}'}, next: ['/dynamic/p/c']}\n"
        "  - {id: c, type: end}\n```\n"
    )
    assert [d for d in check(parse(text), library=library) if d.is_error] == []
    stated = text.replace("conversation/meeting@v1?anything=x", "human/approval@v1")
    assert [d.code for d in check(parse(stated), library=library) if d.is_error] == ["ADL305"]


def test_an_own_library_comes_before_the_shipped_contract() -> None:
    own = parse(
        '### AgenticDSL `/lib/human/approval`\n```yaml\nsignature: "(text: string) -> {done: boolean}"\n'
        'version: "1.0"\n```\n',
        path="own.md",
    )
    text = (
        "### AgenticDSL `/dynamic/p`\n```yaml\ngraph_type: subgraph\nnodes:\n"
        "  - {id: a, type: start, next: ['/lib/human/approval@v1?text=x', '/end']}\n```\n"
    )
    assert [d for d in check(parse(text), library=Library.of([own])) if d.is_error] == []
    assert "ADL305" in {d.code for d in check(parse(text)) if d.is_error}


def test_all_contracts_together_can_be_offered_to_a_model() -> None:
    specs = Library.load("builtin").specs()
    assert len(specs) == 30
    assert all(spec.description for spec in specs)
    grammar = compile(Constraints(max_nodes=6, libraries=specs)).grammar
    assert all(spec.path in grammar for spec in specs)


def test_a_path_that_is_no_contract_is_absent() -> None:
    contracts = standard_library().by_path
    assert Path(("lib", "human", "nobody")) not in contracts
    assert len(contracts) == len(list(contracts)) == 30
    with pytest.raises(KeyError):
        contracts[Path(("lib", "human", "nobody"))]
