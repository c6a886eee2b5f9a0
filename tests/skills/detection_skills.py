"""Skills for tests of detection, made without files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentic_dsl.skills.requirements import parse_requires
from agentic_dsl.skills.skill import Skill


def made(
    name: str, description: str, *, body: str = "# Text\n", tags: str = "", requires: str = "", tokens: int = 100
) -> Skill:
    """A skill that no folder holds."""
    found = parse_requires(requires) if requires else ()
    assert isinstance(found, tuple)
    content = repr((name, description, body, tags, requires, tokens))
    return Skill(
        name=name,
        description=description,
        body=body,
        folder=Path("/nowhere") / name,
        content_hash=hashlib.sha256(content.encode()).hexdigest(),
        tokens=tokens,
        tags=tuple(tags.split()),
        requires=tuple(requirement for requirement, _ in found),
    )


@dataclass
class Shelf:
    """The smallest source of skills."""

    skills: Sequence[Skill]


BREAD = made(
    "baking-bread",
    "How to bake bread with yeast or sourdough. Use for dough, loaves, ovens.",
    tags="面包 烘焙 烤箱 パン",
    requires="kitchen-basics",
    tokens=300,
)
KITCHEN = made("kitchen-basics", "How to weigh, measure and clean.", tokens=50)
TYRES = made("mending-tyres", "How to mend a flat bicycle tyre: patches, levers, pumps.", tags="puncture", tokens=200)
TAXES = made("filing-taxes", "How to file an income tax return: deductions, receipts, deadlines.", tokens=400)

SHELF = Shelf((BREAD, TAXES, KITCHEN, TYRES))
