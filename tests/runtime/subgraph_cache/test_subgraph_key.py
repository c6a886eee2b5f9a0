"""`CacheKey`: every input changes it, nothing else does; which library entries an answer hangs on."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec
from agentic_dsl.runtime.engines.base import GREEDY, Sampling
from agentic_dsl.runtime.subgraph_cache import key as subgraph_key
from agentic_dsl.runtime.subgraph_cache.key import (
    CacheKey,
    LibraryUse,
    below,
    cache_key,
    is_repeatable,
    libraries_used,
    library_digest,
)


def entry(version: str, text: str = "hello") -> str:
    return f"""### AgenticDSL `/lib/human/greet`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
signature: "() -> (greeting: string)"
version: "{version}"
nodes:
  - id: say
    type: assign
    assign:
      greeting: "{text}"
    next: ["/__system__/end_soft"]
# --- END AgenticDSL ---
```
"""


def library(*texts: str) -> Library:
    found = Library.of(parse(text) for text in texts)
    assert not found.diagnostics, found.diagnostics
    return found


def key(prompt: str = "task", constraints: Constraints | None = None, **changes: object) -> CacheKey:
    arguments = {"engine": "e/m", "sampling": GREEDY} | changes
    return cache_key(prompt, constraints or Constraints(), **arguments)  # type: ignore[arg-type]  # by name


def test_every_input_changes_the_digest_and_equal_inputs_do_not() -> None:
    sampled = Sampling(temperature=1.0, seed=1)
    keys = [
        key(),
        key("other"),
        key(constraints=Constraints(path="/dynamic/other")),
        key(constraints=Constraints(max_nodes=3)),
        key(constraints=Constraints(signature="() -> ()")),
        key(constraints=Constraints(context=ContextSignature(available_vars={"a": "string"}))),
        key(engine="e/other"),
        key(sampling=Sampling(seed=1)),
        key(sampling=sampled),
        key(sampling=replace(sampled, seed=2)),
        key(sampling=replace(sampled, top_p=0.5)),
        key(sampling=replace(sampled, top_k=5)),
        key(library=library(entry("1"))),
        key(library=library(entry("2"))),
        key(library=library(entry("1", "goodbye"))),
        key(options="free text"),
    ]
    assert len({each.digest for each in keys}) == len(keys)
    assert key().digest == key().digest


def test_every_field_of_the_key_is_in_its_digest() -> None:
    base = key()
    assert len({replace(base, **{f.name: "x"}).digest for f in fields(CacheKey)} | {base.digest}) == 1 + len(
        fields(CacheKey)
    )


def test_the_format_is_part_of_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key().digest
    monkeypatch.setattr(subgraph_key, "FORMAT", subgraph_key.FORMAT + 1)
    assert key().digest != before


def test_numbers_that_a_temperature_of_zero_ignores_do_not_change_the_key() -> None:
    assert key(sampling=Sampling(top_p=0.5, top_k=7)) == key()


def test_only_greedy_and_seeded_requests_are_repeatable() -> None:
    assert is_repeatable(GREEDY)
    assert is_repeatable(Sampling(temperature=1.0, seed=0))
    assert not is_repeatable(Sampling(temperature=1.0))


def test_a_library_that_was_changed_in_memory_has_another_digest() -> None:
    before = library(entry("1"))
    [document] = before.documents
    [block] = document.blocks
    changed = Library.of([replace(document, blocks=(replace(block, nodes=()),))])  # its source text is the old one
    assert library_digest(changed) != library_digest(before)
    assert library_digest(library(entry("1"))) == library_digest(before)


def test_the_order_of_library_documents_does_not_change_the_digest() -> None:
    one, two = entry("1"), entry("2")
    assert library_digest(library(one, two)) == library_digest(library(two, one))


ANSWER = """### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: go
    type: assign
    assign:
      a: "1"
    next: ["/lib/human/greet@v1"]
# --- END AgenticDSL ---
```
"""


def test_an_answer_uses_what_the_constraints_offer_and_what_it_calls() -> None:
    offered = Constraints(libraries=(LibrarySpec(path="/lib/math/add", version="2.1"),))
    assert libraries_used(offered, parse(ANSWER), library(entry("1.4.2"))) == (
        LibraryUse("/lib/human/greet", "1.4.2"),
        LibraryUse("/lib/math/add", "2.1"),
    )
    assert libraries_used(Constraints(), parse(ANSWER)) == (LibraryUse("/lib/human/greet", "1"),)


@pytest.mark.parametrize(
    ("path", "prefix", "expected"),
    [
        ("/dynamic/a", "/dynamic/a", True),
        ("/dynamic/a/b", "/dynamic/a", True),
        ("/dynamic/ab", "/dynamic/a", False),
        ("/dynamic/ab", "/dynamic/a/", False),
        ("/dynamic/a", "/dynamic/a/", True),
        ("/dynamic/a", "/", True),
        ("/dynamic", "/dynamic/a", False),
    ],
)
def test_prefixes_end_at_segments(path: str, prefix: str, expected: bool) -> None:
    assert below(path, prefix) is expected


@pytest.mark.parametrize(
    ("version", "pattern", "expected"),
    [("1.2.0", "1", True), ("1.2.0", "1.2", True), ("1.2.0", "1.3", False), ("1", "1.0.0", True), ("1.2", None, True)],
)
def test_versions_are_named_by_their_leading_parts(version: str, pattern: str | None, expected: bool) -> None:
    assert LibraryUse("/lib/a/b", version).is_hit("/lib/a", pattern) is expected
    assert LibraryUse("/lib/a/b").is_hit("/lib/a", pattern)
    assert not LibraryUse("/lib/ab", version).is_hit("/lib/a", pattern)
