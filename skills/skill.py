"""`Skill`: instructions for a model with their resources, as values.

A skill in memory holds its text. Its resources stay on disk until somebody asks for one (progressive disclosure); what
is read then is held to the digest from when the skill was loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentic_dsl.constraints import ToolSpec
from agentic_dsl.errors import UsageError
from agentic_dsl.paths import Version
from agentic_dsl.skills.requirements import Requirement
from agentic_dsl.skills.skill_files import SkillFileError, read_file

CHARACTERS_A_TOKEN = 4
"""How long a token is taken to be where no tokenizer counts."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A file that a skill brings.

    Attributes:
        path: as its body names it, such as ``references/forms.md``.
        size: in bytes.
        digest: SHA-256 of its bytes, in hexadecimal.
    """

    path: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Skill:
    """One skill that keeps all rules; `agentic_dsl.skills.manifest.load_skill` makes it.

    Attributes:
        name: its name, and its folder's.
        description: what it is for and when to use it; what detection reads.
        body: the instructions, without front matter and blank lines around them.
        folder: where it was loaded from.
        content_hash: SHA-256 of manifest and resources, in hexadecimal; where it lies does not count.
        tokens: of the body; an estimate unless a tokenizer counted.
        license: under which it may be used.
        compatibility: what it needs of its surroundings, in words.
        metadata: everything under ``metadata``, those that the attributes below were read from included.
        allowed_tools: what it may use, as written: ``Read``, ``Bash(git:*)``.
        resources: the files in ``scripts/``, ``references/`` and ``assets/``, by path.
        version: ``metadata.version``.
        tags: ``metadata.tags``.
        requires: ``metadata.requires``.
        tools: ``metadata.tools``: the tools that it explains.
    """

    name: str
    description: str
    body: str
    folder: Path
    content_hash: str
    tokens: int
    license: str | None = None
    compatibility: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    allowed_tools: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    version: Version | None = None
    tags: tuple[str, ...] = ()
    requires: tuple[Requirement, ...] = ()
    tools: tuple[ToolSpec, ...] = field(default=(), hash=False)

    def read(self, path: str) -> bytes:
        """The content of one of its resources, as it was when the skill was loaded.

        Args:
            path: one of the paths of `resources`.

        Raises:
            UsageError: the skill has no such resource, or the file is not what it was.
        """
        resource = next((resource for resource in self.resources if resource.path == path), None)
        if resource is None:
            known = ", ".join(resource.path for resource in self.resources[:10]) or "it has none"
            raise UsageError(f'the skill "{self.name}" has no resource "{path}"', help=f"name one of these: {known}")
        try:
            content = read_file(self.folder, path, resource.size)
        except SkillFileError as exc:
            raise UsageError(f'the skill "{self.name}": {exc.message}', help="load the skill again") from exc
        if hashlib.sha256(content).hexdigest() != resource.digest:
            raise UsageError(f'"{path}" of the skill "{self.name}" was changed', help="load the skill again")
        return content


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, where no tokenizer is at hand."""
    return -(-len(text) // CHARACTERS_A_TOKEN)
