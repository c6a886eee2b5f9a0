"""Paths, namespaces, versions and ranges."""

import re
from pathlib import Path as File

import pytest

from agentic_dsl.paths import (
    GENERATED_END,
    SEGMENT,
    SYSTEM_TARGETS,
    Hardness,
    Layer,
    Path,
    Reference,
    ReferenceKind,
    Version,
    VersionRange,
)
from agentic_dsl.span import Span

GRAMMAR = File(__file__).parents[2] / "grammars" / "path.lark"


def path(text: str) -> Path:
    return Path(tuple(text[1:].split("/")))


def version(text: str) -> Version:
    return Version(tuple(map(int, text.split("."))))


def test_a_path_is_its_text() -> None:
    assert str(path("/lib/math/add")) == "/lib/math/add"
    assert path("/lib").child("math") == path("/lib/math")
    assert path("/lib/math").parent == path("/lib")
    assert path("/lib").parent is None
    assert path("/lib/math").name == "math"


@pytest.mark.parametrize("segments", [(), ("",), ("a", ""), ("a b",), ("a/b",), ("ä",), ("a\n",)])
def test_what_is_no_path_cannot_be_built(segments: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="not a path"):
        Path(segments)


def test_the_grammar_has_the_same_segments() -> None:
    terminal = re.search(r"^SEGMENT[^:]*:\s*/(.+)/$", GRAMMAR.read_text(), re.MULTILINE)
    assert terminal
    assert terminal[1].startswith(SEGMENT.pattern)


@pytest.mark.parametrize(
    ("text", "layer", "signature", "generated"),
    [
        ("/lib/dslgraph/x", Layer.STANDARD, True, False),
        ("/lib/reasoning/x", Layer.STANDARD, True, False),
        ("/lib/memory/kg/x", Layer.STANDARD, True, False),
        ("/lib/conversation/x", Layer.STANDARD, True, False),
        ("/lib/workflow/x", Layer.KNOWLEDGE, True, False),
        ("/lib/knowledge/x", Layer.KNOWLEDGE, True, False),
        ("/lib/math/add", Layer.ADAPTER, True, False),
        ("/lib/workflows/x", Layer.ADAPTER, True, False),
        ("/dynamic/plan", Layer.APPLICATION, False, True),
        ("/main/plan", Layer.APPLICATION, False, False),
        ("/app/plan", Layer.APPLICATION, False, False),
    ],
)
def test_a_path_belongs_to_its_most_specific_namespace(
    text: str, layer: Layer, signature: bool, generated: bool
) -> None:
    namespace = path(text).namespace
    assert namespace is not None
    assert (namespace.layer, namespace.signature_required, namespace.generated) == (layer, signature, generated)
    assert path(text).is_library is text.startswith("/lib/")


def test_other_roots_have_no_namespace_and_reserved_ones_say_so() -> None:
    assert path("/elsewhere/x").namespace is None
    assert path("/library/x").namespace is None
    for text in ("/__meta__", "/__meta__/resources", "/__system__/noop"):
        namespace = path(text).namespace
        assert namespace is not None
        assert namespace.reserved


@pytest.mark.parametrize(
    ("range_", "inside", "outside"),
    [
        ("^1.2.3", ["1.2.3", "1.9.0"], ["1.2.2", "2.0.0"]),
        ("^1.2", ["1.2.0", "1.99.99"], ["1.1.9", "2.0.0"]),
        ("^1", ["1.0.0", "1.99.0"], ["0.9.0", "2.0.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.2.2", "0.3.0", "1.0.0"]),
        ("^0.2", ["0.2.0", "0.2.9"], ["0.1.9", "0.3.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.2", "0.0.4", "0.1.0"]),
        ("^0.0", ["0.0.0", "0.0.9"], ["0.1.0"]),
        ("^0", ["0.0.0", "0.9.9"], ["1.0.0"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.2.2", "1.3.0"]),
        ("~1.2", ["1.2.0", "1.2.9"], ["1.1.9", "1.3.0"]),
        ("~1", ["1.0.0", "1.9.9"], ["0.9.9", "2.0.0"]),
        ("~0.2.3", ["0.2.3", "0.2.9"], ["0.3.0"]),
        ("~0", ["0.0.0", "0.9.0"], ["1.0.0"]),
        ("1.2", ["1.2.0", "1.2.7"], ["1.3.0", "1.1.0"]),
        ("1.2.3", ["1.2.3"], ["1.2.4"]),
        ("1", ["1.0", "1.7.7"], ["2"]),
    ],
)
def test_a_range_admits_what_npm_admits(range_: str, inside: list[str], outside: list[str]) -> None:
    operator = range_[0] if range_[0] in "^~" else ""
    wanted = VersionRange(operator, version(range_.lstrip("^~")))
    assert str(wanted) == range_
    assert [text for text in inside + outside if wanted.matches(version(text))] == inside


def test_a_pattern_matches_exactly_the_components_it_has() -> None:
    assert version("1").matches(version("1.2.3"))
    assert version("1.2").matches(version("1.2"))
    assert version("1.2.0").matches(version("1.2"))
    assert not version("1.2").matches(version("1.20"))
    assert version("1.2").full == (1, 2, 0)
    assert version("3.1").major == 3


def test_versions_are_ordered_by_number_and_not_by_letter() -> None:
    texts = ["1.10", "1.9.1", "1.9", "0.12", "2"]
    assert sorted(texts, key=lambda text: version(text).full) == ["0.12", "1.9", "1.9.1", "1.10", "2"]


def test_a_reference_is_equal_to_the_same_text_elsewhere() -> None:
    here = Reference("/main/a", ReferenceKind.PATH, path("/main/a"), span=Span(1, 2))
    there = Reference("/main/a", ReferenceKind.PATH, path("/main/a"), span=Span(7, 8))
    assert here == there
    assert len({here, there, Reference("a", ReferenceKind.ID)}) == 2


def test_the_system_targets_are_those_of_the_language() -> None:
    assert SYSTEM_TARGETS == {
        "/end": Hardness.HARD,
        "/end_soft": Hardness.SOFT,
        "/__system__/budget_exceeded": Hardness.HARD,
        "/__system__/end_soft": Hardness.SOFT,
        "/__system__/noop": Hardness.SOFT,
    }
    assert SYSTEM_TARGETS[GENERATED_END] is Hardness.SOFT
