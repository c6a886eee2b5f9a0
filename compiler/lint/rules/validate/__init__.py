"""The rules of `validate`, a family of codes each file: why they are there, and an example of each."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules.validate import (
    dataflow,
    document,
    generated,
    namespaces,
    references,
    resources,
    structure,
    yaml,
)

RULES: tuple[Rule, ...] = (
    *document.RULES,
    *yaml.RULES,
    *structure.RULES,
    *references.RULES,
    *namespaces.RULES,
    *resources.RULES,
    *dataflow.RULES,
    *generated.RULES,
)
"""Every rule of `validate`, in order of code."""
