"""Around random walks: what comes of small changes to valid documents is accepted exactly where it is valid."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from agentic_dsl import codes
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.format import format_document
from agentic_dsl.node_table import ToolCall
from agentic_dsl.runtime.matcher.frames import feed, finish
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.plan import Plan
from benchmarks.accept import Acceptor
from benchmarks.constraint_sets import SETS, constraint_set
from benchmarks.set_equality import states_its_edges

pytestmark = pytest.mark.masks

PIECES = (
    *(
        b"a",
        b"A",
        b"0",
        b"1",
        b"-",
        b".",
        b"e",
        b" ",
        b"_",
        b"/",
        b'"',
        b"{",
        b"}",
        b"%",
        b"#",
        b"[",
        b"]",
        b", ",
        b"?",
    ),
    *(b"&", b"=", b"%20", b"@v1", b"null", b"true", b"end", b"soft", b"$.", b"inputs.", b".x", b"[0]", b"{{ now }}"),
    *(b"default(a, 0)", b"length(now)", b"\\n", b'\\"', b"\\u0000", "ü".encode(), "\u2028".encode(), "\ufffe".encode()),
)
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')
_WORDS = re.compile(rb"[a-z_]+")


def _walk(plan: Plan, rng: random.Random) -> bytes:
    """A valid text: random bytes that often follow the completion policy, which ends it."""
    frame, text = start(plan), bytearray()
    for _ in range(rng.choice([100, 300, 600])):
        if frame.is_final:
            break
        if rng.random() < 0.6:
            byte = finish(frame)[0]
        else:
            allowed = frame.allowed()
            byte = rng.choices(allowed, [8 if byte in b'"}])\n,{.' else 1 for byte in allowed])[0]
        text.append(byte)
        after = frame.step(byte)
        assert after is not None
        frame = after
    return bytes(text) + finish(frame)


def _changed(text: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """A text with something left out, put in, exchanged, or taken from elsewhere."""
    at, lines = rng.randrange(len(text)), text.split(b"\n")
    line, other = rng.randrange(len(lines)), rng.choice(others).split(b"\n")
    match rng.randrange(9):
        case 0:
            return text[:at] + text[at + 1 :]
        case 1:
            return text[:at] + rng.choice(PIECES) + text[at:]
        case 2:
            return text[:at] + rng.choice(PIECES) + text[at + 1 :]
        case 3:
            del lines[line]
        case 4:
            second = rng.randrange(len(lines))
            lines[line], lines[second] = lines[second], lines[line]
        case 5:
            lines.insert(line, rng.choice(other))
        case 6:
            key = lines[line].partition(b":")[0]
            lines[line] = rng.choice([one for one in other if one.partition(b":")[0] == key] or [lines[line]])
        case 7 if quoted := list(_QUOTED.finditer(text)):
            return _replaced(text, rng.choice(quoted), rng.choice(quoted)[0])
        case _:
            words = list(_WORDS.finditer(text))
            return _replaced(text, rng.choice(words), rng.choice(words)[0])
    return b"\n".join(lines)


def _replaced(text: bytes, where: re.Match[bytes], by: bytes) -> bytes:
    return text[: where.start()] + by + text[where.end() :]


def _verdict(text: str, plan: Plan) -> str:
    """``valid``, ``invalid``, or ``choice`` for what is valid and by a recorded decision not generated."""
    document = parse(text)
    findings = check(document, constraints=plan.constraints)
    if any(finding.is_error for finding in findings) or format_document(document) != text:
        return "invalid"
    if not states_its_edges(text):
        return "invalid"
    if any(finding.kind in (codes.UNKNOWN_NAME, codes.NOT_YET_AVAILABLE) for finding in findings):
        return "choice"  # templates read only what is surely there
    nodes = [node for block in document.subgraphs for node in block.nodes]
    keys = [node.output_keys for node in nodes if hasattr(node, "output_keys")]
    if any(len(set(one)) < len(one) for one in keys):
        return "choice"  # a key stands once
    calls = [node for node in nodes if isinstance(node, ToolCall)]
    return "choice" if any(_is_held_by_schema(call, plan) for call in calls) else "valid"


def _is_held_by_schema(call: ToolCall, plan: Plan) -> bool:
    """Whether a value is given for a parameter whose schema says more than kinds and enumerations."""
    tool = next((tool for tool in plan.tools or () if tool.name == call.tool), None)
    for parameter in (tool.parameters or ()) if tool is not None else ():
        value = call.arguments.get(parameter.name) if not isinstance(call.arguments, str) else None
        is_template = isinstance(value, str) and value.startswith("{{") and value.find("}}") == len(value) - 2
        sure = parameter.allowed.exact and (tool is None or tool.rules is None)
        if value is not None and not is_template and not sure:
            return True
    return False


def differences(number: int, count: int, seed: int = 0) -> tuple[Counter[tuple[str, bool]], list[str]]:
    """Judges changed walks of one constraint set: how often which verdict and acceptance, and what differs."""
    constraints = constraint_set(number)
    plan, rng = Plan.of(constraints), random.Random(f"{number} {seed}")
    texts = sorted((_walk(plan, rng) for _ in range(6)), key=len)[:5]
    counts: Counter[tuple[str, bool]] = Counter()
    different: list[str] = []
    for _ in range(count):
        text = rng.choice(texts)
        for _ in range(rng.choice([1, 1, 2])):
            text = _changed(text, texts, rng)
        frame = feed(start(plan), text)
        accepted = frame is not None and frame.is_final
        try:
            verdict = _verdict(text.decode(), plan)
        except UnicodeDecodeError:
            verdict = "invalid"
        if verdict == "valid" and not accepted and not _grammar(constraints).accepts(text.decode()):
            verdict = "other form"  # the checker lets it pass, though no grammar would produce it
        counts[verdict, accepted] += 1
        if (verdict == "valid") != accepted:
            if verdict in ("valid", "invalid"):
                different.append(f"set {number}: {verdict}, accepted: {accepted}\n{text.decode(errors='replace')}")
        elif accepted and rng.random() < 0.3:
            texts.append(text)
    return counts, different


def _grammar(constraints: Constraints) -> Acceptor:
    return Acceptor.of(compile(constraints).grammar)


@pytest.mark.parametrize("first", range(0, SETS, 24))
def test_a_changed_walk_is_accepted_exactly_when_it_is_valid(first: int) -> None:
    counts: Counter[tuple[str, bool]] = Counter()
    for number in range(first, first + 24):
        found, different = differences(number, 12)
        assert different == []
        counts += found
    assert counts["valid", True] > 20
    assert counts["invalid", False] > 120
