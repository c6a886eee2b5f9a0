"""What ``import agentic_dsl`` gives: a fixed list of names, loaded when they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import agentic_dsl

HEAVY = {"torch", "transformers", "xgrammar", "numpy", "tokenizers", "pydantic", "lark", "yaml", "networkx", "httpx"}


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", agentic_dsl.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(agentic_dsl, name) is not None
    assert name in dir(agentic_dsl)


def test_the_list_the_loader_and_what_type_checkers_see_agree() -> None:
    source = Path(agentic_dsl.__file__).read_text(encoding="utf-8")
    seen = {
        (alias.name, (node.module or "").removeprefix("agentic_dsl."))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("agentic_dsl.")
        for alias in node.names
    }
    assert seen == set(agentic_dsl._HOME.items())
    assert [*agentic_dsl._HOME, "__version__"] == [n for n in agentic_dsl.__all__ if n != "__version__"] + [
        "__version__"
    ]
    assert agentic_dsl.__all__ == sorted(agentic_dsl.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        _ = agentic_dsl.magic


def test_importing_it_loads_nothing_of_weight() -> None:
    assert run(f"import sys, agentic_dsl; print(sorted({HEAVY!r} & sys.modules.keys()))") == "[]"


def test_using_the_front_end_loads_no_model_library() -> None:
    code = "import sys; from agentic_dsl import parse, check, Constraints, compile;"
    code += "check(parse('x')); compile(Constraints());"
    code += "print(sorted({'torch', 'transformers', 'xgrammar', 'numpy'} & sys.modules.keys()))"
    assert run(code) == "[]"


def test_the_version_is_that_of_the_distribution() -> None:
    assert agentic_dsl.__version__[0].isdigit()
