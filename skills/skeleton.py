"""`write_skeleton`: a new skill that keeps all rules, for its author to fill."""

from __future__ import annotations

from pathlib import Path

from agentic_dsl.compiler.parse.problem import quoted
from agentic_dsl.errors import UsageError
from agentic_dsl.skills.front_matter import FRONT_FIELDS
from agentic_dsl.skills.requirements import NAME
from agentic_dsl.skills.skill_files import MANIFEST

_LONGEST = {field.key: field.longest or 0 for field in FRONT_FIELDS}

_TEXT = """---
name: {name}
description: >-
  {description}
metadata:
  version: "0.1.0"
  tags: {name}
---
# {title}

## When to use it

Name the requests that need this skill, and those that only look like it.

## What to do

1. Say each step as an order, the most important one first.
2. Put details that are rarely needed into references/ and say here when to read them.

## Example

Show one request and the exact answer to it.
"""


def write_skeleton(root: Path, name: str, description: str | None = None) -> Path:
    """Writes a skill's folder with its ``SKILL.md``.

    Args:
        root: the folder of skills, made where it is not there.
        name: the skill's name and its folder's.
        description: what it is for and when to use it; a text to be replaced without it.

    Returns:
        The file.

    Raises:
        UsageError: the name or the description breaks the rules, the skill is there already, or it cannot be written.
    """
    if not NAME.fullmatch(name) or len(name) > _LONGEST["name"]:
        help = f"use at most {_LONGEST['name']} small letters, digits and single hyphens: my-skill"
        raise UsageError(f"{quoted(name)} is no name of a skill", help=help)
    title = name.replace("-", " ").capitalize()
    text = " ".join((description or f"{title}. Use it when a request asks for that; say here in which words.").split())
    if not text or not text.isprintable() or len(text) > _LONGEST["description"]:
        help = f"write 1 to {_LONGEST['description']:,} characters"
        raise UsageError("the description is empty, too long or no plain text", help=help)
    manifest = root / name / MANIFEST
    try:
        manifest.parent.mkdir(parents=True)
        with manifest.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(_TEXT.format(name=name, title=title, description=text))
    except FileExistsError as exc:
        raise UsageError(f'"{manifest.parent}" is there already', help="choose another name or root") from exc
    except (OSError, UnicodeEncodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it holds characters that no file can hold"
        raise UsageError(f'"{manifest}" cannot be written: {reason}', help="name a folder that can be written") from exc
    return manifest
