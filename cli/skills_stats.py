"""``agentic-dsl skills stats``: how often skills were used and what their reuse saved."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_dsl.cli.options import FormatOption, QuietOption, output_of
from agentic_dsl.cli.output import plural
from agentic_dsl.cli.settings import Settings
from agentic_dsl.cli.skills import skills_app
from agentic_dsl.cli.table import table
from agentic_dsl.errors import CacheError

if TYPE_CHECKING:
    from agentic_dsl.skills.usage import SkillTotal

_TITLES = ("skill", "uses", "hits", "tokens", "saved", "share", "last used")


@skills_app.command("stats")
def stats(
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it too: FILE.png or FILE.svg.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Forget all uses, once they are printed.")] = False,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Say how often skills were used, how many of their tokens were not computed again, and when that was."""
    from agentic_dsl.runtime.folders import cache_folder
    from agentic_dsl.skills.usage import FILE, SkillUsage

    output = output_of(Settings.load(), format, quiet)
    usage = SkillUsage(cache_folder() / FILE)
    totals = usage.totals()
    if plot is not None:
        from agentic_dsl.skills.usage_plot import plot_usage

        plot_usage(totals, plot)
        output.note(f"wrote {plot}")
    if output.json:
        output.record({"file": str(usage.path), "skills": [_record(total) for total in totals]})
    else:
        if totals:
            output.lines(table(_TITLES, [_row(total) for total in totals], right=frozenset(_TITLES[1:-1])))
        output.note(f"{plural(len(totals), 'skill')} in {usage.path}")
    if clear and not usage.clear():
        raise CacheError(f"{usage.path} cannot be cleared", help="wait until nobody writes it, or remove the file")


def _record(total: SkillTotal) -> dict[str, Any]:
    return {
        "skill": total.skill,
        "uses": total.uses,
        "hits": total.hits,
        "hit_rate": total.hit_rate,
        "tokens": total.tokens,
        "tokens_saved": total.tokens_saved,
        "last_used": _time(total.last_used),
    }


def _row(total: SkillTotal) -> tuple[str, ...]:
    """The cells of `_TITLES`."""
    return (
        total.skill,
        f"{total.uses:,}",
        f"{total.hit_rate:.0%}",
        f"{total.tokens:,}",
        f"{total.tokens_saved:,}",
        f"{total.saved_share:.0%}",
        _time(total.last_used),
    )


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(min(max(seconds, 0.0), 4e9)))
