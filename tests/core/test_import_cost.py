"""What ``import agentic_dsl`` loads, seen from a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "xgrammar", "vllm", "sglang", "lark", "networkx", "pydantic", "yaml", "rich", "httpx"}


def modules_after(statement: str) -> set[str]:
    """The top-level packages that are loaded once a statement has run."""
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not modules_after("import agentic_dsl; dir(agentic_dsl)") & HEAVY


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("from agentic_dsl import Document, Severity, AgenticDSLError, normalise, format_document", HEAVY),
        ("from agentic_dsl import Constraints", HEAVY - {"pydantic"}),
        ("from agentic_dsl import parse, check, Library", {"torch", "transformers", "xgrammar", "networkx"}),
    ],
)
def test_what_the_core_and_the_compiler_offer_needs_no_model_library(statement: str, absent: set[str]) -> None:
    assert not modules_after(statement) & absent
