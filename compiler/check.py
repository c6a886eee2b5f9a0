"""Step 2.5: every rule of the language, in one visible tuple (``language.md`` §5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agentic_dsl import codes
from agentic_dsl.ast import Document
from agentic_dsl.compiler.checks import (
    budgets,
    contracts,
    dataflow,
    flow,
    generated,
    generated_form,
    generated_values,
    joins,
    namespaces,
    permissions,
    references,
    structure,
    tools,
)
from agentic_dsl.compiler.checks.context import Check, CheckContext, CheckMode
from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.parse.collector import collector_paused
from agentic_dsl.constraints import MAX_NODES, Constraints
from agentic_dsl.diagnostics import Diagnostic, in_order

PASSES: tuple[Check, ...] = (
    structure.check_ids,
    structure.check_paths,
    structure.check_entries,
    structure.check_entry_point,
    structure.check_types,
    references.check_references,
    references.check_lists,
    references.check_requirements,
    flow.check_cycles,
    flow.check_reachability,
    flow.check_successors,
    joins.check_joins,
    joins.check_merges,
    joins.check_strategies,
    namespaces.check_namespaces,
    namespaces.check_names,
    namespaces.check_layers,
    permissions.check_permissions,
    permissions.check_resources,
    budgets.check_node_count,
    budgets.check_name_count,
    budgets.check_depth,
    budgets.check_generation_cycles,
    tools.check_schemas,
    tools.check_arguments,
    tools.check_results,
    dataflow.check_templates,
    contracts.check_signatures,
    contracts.check_calls,
    contracts.check_outputs,
    generated.check_blocks,
    generated.check_count,
    generated.check_allowed,
    generated.check_granted,
    generated_form.check_form,
    generated_values.check_values,
)
"""Every pass; none depends on what another found, the findings are put in order of place."""

CHEAP_PASSES: tuple[Check, ...] = (structure.check_paths, budgets.check_node_count, budgets.check_name_count)
"""What is done for a document beyond the limits of nodes and names: the finding that it is, and little else."""


def check(
    document: Document,
    *,
    library: Library | None = None,
    constraints: Constraints | None = None,
    mode: CheckMode = "strict",
    disabled_namespaces: frozenset[str] = frozenset(),
) -> list[Diagnostic]:
    """Every finding about a document, those of the parser included, in order of place.

    A document is valid when none of them is an error.

    Args:
        document: what `parse` gave.
        library: the entries that may be called; the document's own and the standard contracts always may.
        constraints: what a generated document was asked to be.
        mode: ``lenient`` turns what a runtime can skip or decide itself into warnings.
        disabled_namespaces: first segments that must not be written, such as ``app``.
    """
    context = CheckContext(document, library, constraints, mode, disabled_namespaces)
    with collector_paused(len(document.source.text)):
        return list(in_order(list(check_context(context))))


def check_context(context: CheckContext) -> Iterator[Diagnostic]:
    """What `check` finds, in no order, from a context that others use too."""
    for finding in context.document.diagnostics:
        yield _graded(finding, context)
    for run in CHEAP_PASSES if is_too_large(context) else PASSES:
        yield from run(context)


def is_too_large(context: CheckContext) -> bool:
    """Whether a document is beyond the limits of nodes or names, so that little else is done for it."""
    places = context.resolver.places
    return len(places) > MAX_NODES or not budgets.follows_names(places)


def _graded(finding: Diagnostic, context: CheckContext) -> Diagnostic:
    """A finding of the parser, which knows no modes, as severe as the mode has it."""
    if finding.kind is codes.UNKNOWN_TYPE and finding.severity is not context.doubtful:
        return replace(finding, severity=context.doubtful)
    return finding
