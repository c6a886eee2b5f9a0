"""``agentic-dsl rule``: why a rule is there, with a document that breaks it and one that does not."""

from __future__ import annotations

from difflib import get_close_matches
from textwrap import indent
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_dsl.cli.options import FormatOption, QuietOption, output_of
from agentic_dsl.cli.settings import Settings
from agentic_dsl.errors import UsageError

if TYPE_CHECKING:
    from agentic_dsl.cli.output import Output
    from agentic_dsl.compiler.lint.rule import Rule


def rule(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="A code such as ADL203, or a name; all rules without one.")
    ] = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Explain a rule of lint, validate or skills with a bad and a good example, or a kind of change of diff."""
    from agentic_dsl.compiler.lint.registry import BY_NAME, RULES, find_rule

    output = output_of(Settings.load(), format, quiet)
    if code is None:
        if output.json:
            output.record([_record(rule) for rule in RULES])
        else:
            output.data("".join(f"{rule.code}  {rule.severity.value:7}  {rule.name}\n" for rule in RULES))
        return
    found = find_rule(code)
    if found is None and (_is_of_skills(code, output) or _is_of_diff(code, output)):
        return
    if found is None:
        near = get_close_matches(code.upper(), _codes(), 1) or get_close_matches(code.lower(), BY_NAME, 1)
        raise UsageError(
            f'"{code}" names no rule', help=f"write {near[0]}" if near else "run `agentic-dsl rule` to see all"
        )
    if output.json:
        output.record(_record(found))
        return
    output.data(_explained(found))


def _codes() -> list[str]:
    """Every code that can be explained."""
    from agentic_dsl.compiler.compatibility.kinds import ALL_KINDS
    from agentic_dsl.compiler.lint.registry import BY_CODE
    from agentic_dsl.skills.skill_rules import RULES

    return [*BY_CODE, *(change.code.code for change in ALL_KINDS), *(rule.kind.code for rule in RULES)]


def _is_of_skills(code: str, output: Output) -> bool:
    """Explains a rule for skills; whether there is one of that code or name."""
    from agentic_dsl.skills.skill_rules import find_skill_rule

    rule = find_skill_rule(code)
    if rule is None:
        return False
    kind, bad, good = rule.kind, rule.bad.excerpt(), rule.good.excerpt()
    if output.json:
        output.record(
            {
                "code": kind.code,
                "name": kind.name,
                "group": "skills",
                "severity": kind.severity.value,
                "summary": kind.summary,
                "why": rule.why,
                "bad": bad,
                "good": good,
            }
        )
        return True
    found = next((f.diagnostic for f in rule.bad.findings() if f.diagnostic.kind is kind), None)
    output.data(
        f"{kind.code} {kind.name} ({kind.severity.value}, skills)\n\n{kind.summary} {rule.why}\n\n"
        f"Bad:\n\n{indent(bad.strip(), '    ')}\n\n"
        + (f"  {found.message}\n  help: {found.help}\n\n" if found else "")
        + f"Good:\n\n{indent(good.strip(), '    ')}\n"
    )
    return True


def _is_of_diff(code: str, output: Output) -> bool:
    """Explains a kind of change; whether there is one of that code or name."""
    from agentic_dsl.compiler.compatibility.kinds import find_change

    change = find_change(code)
    if change is None:
        return False
    name, level, summary = change.code.name, change.level.value, change.code.summary
    if output.json:
        output.record({"code": change.code.code, "name": name, "group": "diff", "level": level, "summary": summary})
    else:
        output.data(f"{change.code.code} {name} ({level}, diff)\n\n{summary}\n")
    return True


def _explained(rule: Rule) -> str:
    from agentic_dsl.compiler.lint.shown import finding_of

    message, help_ = ("", None) if rule.bad.costly else finding_of(rule)
    mended = "lint --fix or --unsafe-fixes mends it." if rule.fixable else "It needs a person."
    return (
        f"{rule.code} {rule.name} ({rule.severity.value}, {rule.group.value}, since {rule.since})\n\n"
        f"{rule.kind.summary} {rule.why}\n\n"
        f"Bad:\n\n{indent(rule.bad.excerpt().strip(), '    ')}\n\n"
        + (f"  {message}\n" if message else "")
        + (f"  help: {help_}\n" if help_ else "")
        + "\n"
        f"Good:\n\n{indent(rule.good.excerpt().strip(), '    ')}\n\n{mended}\n"
    )


def _record(rule: Rule) -> dict[str, Any]:
    return {
        "code": rule.code,
        "name": rule.name,
        "group": rule.group.value,
        "severity": rule.severity.value,
        "standard": rule.kind.standard,
        "since": rule.since,
        "fixable": rule.fixable,
        "summary": rule.kind.summary,
        "why": rule.why,
        "bad": rule.bad.excerpt(),
        "good": rule.good.excerpt(),
    }
