from pathlib import Path as FilePath

import pytest
from checking import block, subgraph

from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.standard_library import standard_library
from agentic_dsl.errors import UsageError
from agentic_dsl.paths import Path, Version, VersionRange

XY = Path(("lib", "x", "y"))


def entry(version: str, stability: str = "stable", path: str = "/lib/x/y") -> str:
    keys = f'signature: "(a: string) -> {{b: any}}"\nversion: "{version}"\nstability: {stability}'
    return subgraph("- {id: e, type: end}", path, keys)


def library(*texts: str) -> Library:
    return Library.of([parse(text, path=f"{number}.md") for number, text in enumerate(texts)])


def test_a_folder_is_read_with_all_that_lies_below(tmp_path: FilePath) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.md").write_text(entry("1.0"))
    (tmp_path / "deep" / "b.md").write_text(entry("2.0"))
    (tmp_path / "notes.txt").write_text(entry("3.0"))
    loaded = Library.load([tmp_path, tmp_path / "a.md"])
    assert [str(e.version) for e in loaded.entries] == ["1.0", "2.0"]
    assert loaded.diagnostics == ()


def test_a_path_that_is_not_there_is_an_error_of_usage(tmp_path: FilePath) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        Library.load([tmp_path / "nowhere"])


def test_contents_never_raise(tmp_path: FilePath) -> None:
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "broken.md").write_text(block("/lib/x", "a: ["))
    (tmp_path / "empty.md").write_text("")
    loaded = Library.load([tmp_path])
    assert loaded.entries == ()
    assert {finding.code for finding in loaded.diagnostics if finding.is_error} == {"ADL002", "ADL101"}
    assert {FilePath(finding.document.source.path or "").name for finding in loaded.findings} >= {
        "bytes.md",
        "broken.md",
    }


def test_the_highest_stable_version_is_called() -> None:
    several = library(entry("1.9.0"), entry("1.10.0"), entry("2.0.0", "experimental"), entry("0.9", "deprecated"))
    assert str(several.resolve(XY).version) == "1.10.0"  # type: ignore[union-attr]
    assert str(several.resolve(XY, Version((2,))).version) == "2.0.0"  # type: ignore[union-attr]
    assert str(several.resolve(XY, range=VersionRange("^", Version((0, 9)))).version) == "0.9"  # type: ignore[union-attr]
    assert several.resolve(XY, Version((3,))) is None
    assert several.resolve(Path(("lib", "z"))) is None


def test_without_a_stable_version_the_highest_is_called() -> None:
    several = library(entry("1.0", "experimental"), entry("2.0", "deprecated"))
    assert str(several.resolve(XY).version) == "2.0"  # type: ignore[union-attr]


def test_an_entry_without_a_version_is_version_one() -> None:
    only = library(subgraph("- {id: e, type: end}", "/lib/x/y", 'signature: "() -> ()"'))
    assert str(only.entries[0].version) == "1"


def test_blocks_elsewhere_are_no_entries() -> None:
    assert library(subgraph("- {id: e, type: end}", "/main/p")).entries == ()


def test_two_files_that_define_the_same_are_found() -> None:
    findings = library(entry("1.0"), entry("1.1")).findings
    assert [(f.document.source.path, f.diagnostic.code) for f in findings] == [("1.md", "ADL202")]
    assert findings[0].diagnostic.message == '"/lib/x/y" version 1 is defined in "0.md" too'
    assert library(entry("1.0"), entry("2.0")).findings == ()


def test_a_model_is_offered_one_version_of_each_path() -> None:
    specs = library(entry("1.0"), entry("2.0"), entry("1.0", path="/lib/a")).specs()
    assert [spec.reference for spec in specs] == ["/lib/a@v1.0", "/lib/x/y@v2.0"]
    assert specs[0].signature == "(a: string) -> {b: any}"


def test_the_standard_contracts_are_all_there() -> None:
    standard = standard_library()
    assert len(standard.entries) == 30
    generate = standard.resolve(Path(("lib", "reasoning", "generate_text")), Version((1,)))
    assert generate is not None
    assert generate.signature is not None
    assert generate.signature.required_inputs == ("prompt", "model", "seed")
    assert generate.signature.required_outputs == ("text",)
