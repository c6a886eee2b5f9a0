"""How much YAML is read."""

from __future__ import annotations

from dataclasses import dataclass

MAX_NESTING = 100
"""Levels that values may nest, aliases followed."""

MAX_ALIASED_VALUES = 100_000
"""Values that the aliases of a document may expand to."""

ALIASED_TEXT = 100
"""Characters of an aliased text that count as one more value: whoever reads it reads all of it each time."""

MAX_VALUES = 500_000
"""Values that a document may hold; 10,000 nodes have about 300,000."""


@dataclass(slots=True)
class YamlBudget:
    """What is left of the limits; shared by the bodies of one document, whose sum is what costs time and memory."""

    aliased: int = MAX_ALIASED_VALUES
    values: int = MAX_VALUES
    expansion_reported: bool = False
