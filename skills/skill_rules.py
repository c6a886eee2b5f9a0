"""The rules for skills as data: why each is there, a skill that breaks it, and one that does not.

Code, name, severity and summary stand in `agentic_dsl.codes` alone. The examples are files; a test loads each of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentic_dsl import codes
from agentic_dsl.diagnostics import Code
from agentic_dsl.skills.manifest import load_skill
from agentic_dsl.skills.registry import SkillFinding, SkillRegistry
from agentic_dsl.skills.skill_files import MANIFEST, MAX_MANIFEST

_NAME = "summarise-text"
_DESCRIPTION = "Shortens texts. Use it when somebody asks for a summary."
_BODY = "# Summaries\n\nWrite three sentences at most.\n"
_LONGEST_EXCERPT = 600


@dataclass(frozen=True, slots=True)
class SkillExample:
    """A root of skills that shows a rule.

    Attributes:
        files: path below the root → what the file holds.
        shown: what documentation prints, where files alone do not show it; without files nothing else does.
    """

    files: Mapping[str, str | bytes]
    shown: str = ""

    def excerpt(self) -> str:
        """What documentation prints."""
        if self.shown:
            return self.shown
        return "\n".join(f"{path}:\n{str(text).rstrip()[:_LONGEST_EXCERPT]}\n" for path, text in self.files.items())

    def findings(self) -> tuple[SkillFinding, ...]:
        """What is found in it."""
        with tempfile.TemporaryDirectory(prefix="agentic-dsl-") as folder:
            root = Path(folder)
            for path, text in self.files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
            registry = SkillRegistry.load([root])
            if registry.readings:
                return registry.findings
            reading = load_skill(root / _NAME)  # a folder that a root does not take for a skill
            return tuple(SkillFinding(reading.source, diagnostic) for diagnostic in reading.diagnostics)


@dataclass(frozen=True, slots=True)
class SkillRule:
    """One rule.

    Attributes:
        kind: its row in the table of codes.
        why: what goes wrong where it is broken.
        bad: an example with this finding.
        good: an example like it, without any.
    """

    kind: Code
    why: str
    bad: SkillExample
    good: SkillExample


def _skill(front: str = "", *, name: str = _NAME, body: str = _BODY, head: str = "", **files: str) -> SkillExample:
    """One skill: lines of front matter after its head, a body, and resources by path with ``__`` for ``/``."""
    head = head or f"name: {name}\ndescription: {_DESCRIPTION}\n"
    front = f"---\n{head}{front}---\n"
    more = {f"{_NAME}/{path.replace('__', '/').replace('_md', '.md')}": text for path, text in files.items()}
    return SkillExample({f"{_NAME}/{MANIFEST}": front + body, **more})


def _text(text: str | bytes) -> SkillExample:
    return SkillExample({f"{_NAME}/{MANIFEST}": text})


def _only(shown: str) -> SkillExample:
    """What no file can show."""
    return SkillExample({}, shown)


def _meta(line: str) -> str:
    return f"metadata:\n  {line}\n"


def _beside(front: str, other: str, other_front: str) -> SkillExample:
    """A skill with lines of front matter, and another one."""
    head = f"---\nname: {other}\ndescription: Explains words. Use it when somebody asks what a word means.\n"
    second = f"{head}{other_front}---\n# Words\n\nExplain one word a line.\n"
    return SkillExample({**_skill(front).files, f"{other}/{MANIFEST}": second})


_GOOD = _skill()
_WITH_FILE = _skill(body=f"{_BODY}\nRead references/tone.md for the tone.\n", references__tone_md="Be plain.\n")
_PAIR = _beside(_meta('requires: "explain-words>=1.0"'), "explain-words", _meta('version: "1.2.0"'))

RULES: tuple[SkillRule, ...] = (
    SkillRule(
        codes.NO_MANIFEST,
        "The folder says nothing about itself, so nobody can know what it is for.",
        SkillExample({f"{_NAME}/notes.md": _BODY}),
        _GOOD,
    ),
    SkillRule(
        codes.MANIFEST_TOO_LARGE,
        "A body of this size fits no model's context, and would only be read to be refused.",
        SkillExample(_text("x" * (MAX_MANIFEST + 1)).files, "a SKILL.md of 1,048,577 bytes"),
        _GOOD,
    ),
    SkillRule(
        codes.MANIFEST_NOT_TEXT,
        "In another encoding every reader sees other characters.",
        SkillExample(_text(b"---\nname: r\xe9sum\xe9\n---\n").files, 'name: "résumé", saved as Latin-1'),
        _GOOD,
    ),
    SkillRule(
        codes.SKILL_UNREADABLE,
        "What cannot be read cannot be checked, so nothing of the skill is used.",
        SkillExample({f"{_NAME}/{MANIFEST}/part.md": _BODY}, f"a folder called {MANIFEST}"),
        _GOOD,
    ),
    SkillRule(
        codes.SKILL_CHANGING,
        "A manifest of one moment with resources of another is a skill that nobody wrote.",
        _only("an editor or a checkout that writes the folder while it is read"),
        _GOOD,
    ),
    SkillRule(
        codes.NO_FRONT_MATTER,
        "Name and description stand in the front matter; without them the skill is never chosen.",
        _text(_BODY),
        _GOOD,
    ),
    SkillRule(
        codes.OPEN_FRONT_MATTER,
        "Nobody can say where the front matter ends and the instructions begin.",
        _text(f"---\nname: {_NAME}\n\n{_BODY}"),
        _GOOD,
    ),
    SkillRule(
        codes.NOT_A_MAPPING,
        "The keys of a skill have names; a list or a text has none.",
        _text(f"---\n- {_NAME}\n---\n{_BODY}"),
        _GOOD,
    ),
    SkillRule(
        codes.UNKNOWN_SKILL_KEY,
        "The public rules know six keys; other tools refuse a skill with more. What is ours goes under metadata.",
        _skill("tags: short\n"),
        _skill(_meta("tags: short")),
    ),
    SkillRule(
        codes.MISSING_SKILL_KEY,
        "Without a description no request leads to the skill.",
        _skill(head=f"name: {_NAME}\n"),
        _GOOD,
    ),
    SkillRule(
        codes.SKILL_VALUE_TYPE,
        "Readers of YAML differ in what they make of numbers, dates and lists; texts are the same for all.",
        _skill("license: 2.0\n"),
        _skill('license: "2.0"\n'),
    ),
    SkillRule(
        codes.BAD_SKILL_NAME,
        "Names are folders, commands and keys of caches, so they hold what is safe in all of these.",
        _skill(name="Summarise_Text"),
        _GOOD,
    ),
    SkillRule(
        codes.NAME_IS_NOT_FOLDER,
        "The folder is how people find the skill, the name is how other skills do.",
        _skill(name="shorten-text"),
        _GOOD,
    ),
    SkillRule(
        codes.SKILL_TEXT_LENGTH,
        "Descriptions of all skills stand in one prompt; a long one takes the place of the others.",
        _skill(head=f"name: {_NAME}\ndescription: {'Shortens texts. ' * 70}\n"),
        _GOOD,
    ),
    SkillRule(
        codes.BAD_ALLOWED_TOOLS,
        "Spaces separate tools; with commas the names are other names, which nobody grants.",
        _skill("allowed-tools: Read, Grep\n"),
        _skill("allowed-tools: Read Grep Bash(git:*)\n"),
    ),
    SkillRule(
        codes.BAD_METADATA,
        "By the public rules metadata are texts by name; other tools refuse anything else.",
        _skill(_meta("version: 1.2")),
        _skill(_meta('version: "1.2"')),
    ),
    SkillRule(
        codes.BAD_SKILL_VERSION,
        "Others require the skill by version; a word has no order.",
        _skill(_meta("version: latest")),
        _skill(_meta('version: "1.2.0"')),
    ),
    SkillRule(
        codes.BAD_TAGS,
        "Tags are words that detection looks for, separated by spaces.",
        _skill(_meta('tags: "short, texts"')),
        _skill(_meta('tags: "short texts"')),
    ),
    SkillRule(
        codes.BAD_REQUIRES,
        "What cannot be read cannot be looked for, and the skill would be given without what it needs.",
        _skill(_meta('requires: "explain-words >= one"')),
        _PAIR,
    ),
    SkillRule(
        codes.BAD_TOOLS_FILE,
        "The tools of a skill become constraints of generation; a broken schema would allow or forbid the wrong calls.",
        _skill(_meta("tools: assets/tools.json")),
        SkillExample(
            {
                **_skill(_meta("tools: assets/tools.json")).files,
                f"{_NAME}/assets/tools.json": '[{"name": "count_words", "description": "Counts words."}]\n',
            }
        ),
    ),
    SkillRule(
        codes.EMPTY_BODY,
        "The skill is found and chosen, and then tells the model nothing.",
        _skill(body=""),
        _GOOD,
    ),
    SkillRule(
        codes.LONG_BODY,
        "The whole body goes into the prompt each time. Details belong into references/, which are read when needed.",
        SkillExample(_skill(body="- one more rule\n" * 501).files, "a body of 501 lines"),
        _GOOD,
    ),
    SkillRule(
        codes.MISSING_RESOURCE,
        "The model is sent to a file that is not there, and goes on without it.",
        _skill(body=f"{_BODY}\nRead references/tone.md for the tone.\n"),
        _WITH_FILE,
    ),
    SkillRule(
        codes.RESOURCE_ESCAPE,
        "A skill is moved and shared as one folder; what lies outside is missing there, or is somebody's secret.",
        _skill(body=f"{_BODY}\nRead [the tone](../tone.md).\n"),
        _WITH_FILE,
    ),
    SkillRule(
        codes.RESOURCE_TOO_LARGE,
        "Resources are read for models. Their size is bounded so that loading a skill is, too.",
        _only("a resource of more than 8 MiB, or more than 500 of them"),
        _WITH_FILE,
    ),
    SkillRule(
        codes.NESTED_RESOURCE,
        "By the public rules resources stand one level deep; other tools do not see deeper ones.",
        _skill(body=_BODY, references__more__tone_md="Be plain.\n"),
        _WITH_FILE,
    ),
    SkillRule(
        codes.NOT_A_FILE,
        "Reading a pipe or a device waits for ever, or changes something.",
        _only("a named pipe in references/"),
        _WITH_FILE,
    ),
    SkillRule(
        codes.SHADOWED_SKILL,
        "Only the first of two skills of one name is used; whoever wrote the other may wonder.",
        _only("a skill of the same name in two roots"),
        _GOOD,
    ),
    SkillRule(
        codes.MISSING_SKILL,
        "The skill relies on what another one says, and would be given without it.",
        _skill(_meta("requires: explain-words")),
        _PAIR,
    ),
    SkillRule(
        codes.SKILL_VERSION_CLASH,
        "The skill was written for another state of the one that it requires.",
        _beside(_meta('requires: "explain-words>=2"'), "explain-words", _meta('version: "1.2.0"')),
        _PAIR,
    ),
    SkillRule(
        codes.SKILL_CYCLE,
        "No order puts both after what they require.",
        _beside(_meta("requires: explain-words"), "explain-words", _meta(f"requires: {_NAME}")),
        _PAIR,
    ),
    SkillRule(
        codes.LAST_GOOD_SKILL,
        "A mistake while editing must not take a skill from a program that runs; it must not go unnoticed either.",
        _only("a skill that is edited and broken while a registry holds it"),
        _GOOD,
    ),
    SkillRule(
        codes.TOO_MANY_SKILLS,
        "A root of this size is a mistake, such as a folder of data.",
        _only("a root with more than 10,000 skills"),
        _GOOD,
    ),
    SkillRule(
        codes.ROOT_UNREADABLE,
        "No skill of the root can be used until it can be read.",
        _only("a root that was removed while a registry holds it"),
        _GOOD,
    ),
)
"""Every rule for skills, in order of code (a test holds that)."""


def find_skill_rule(word: str) -> SkillRule | None:
    """The rule of a code or name, in any case."""
    return next((rule for rule in RULES if word.upper() == rule.kind.code or word.lower() == rule.kind.name), None)
