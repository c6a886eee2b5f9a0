"""What commands that use skills say of those that cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentic_dsl.cli.output import Output, plural

if TYPE_CHECKING:
    from agentic_dsl.skills.registry import SkillRegistry


def note_findings(registry: SkillRegistry, output: Output) -> None:
    """Says that skills have errors, for commands that go on without them."""
    errors = sum(diagnostic.is_error for diagnostic in registry.diagnostics)
    if errors:
        output.note(f"{plural(errors, 'error')} in other skills: run `agentic-dsl skills validate`")
