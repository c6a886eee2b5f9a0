"""`plot_usage`: what the reuse of skills saved, as a picture; the only file that imports matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentic_dsl.errors import MissingExtraError, UsageError
from agentic_dsl.skills.usage import SkillTotal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg")

_MOST = 40
"""Skills that are drawn: more bars cannot be read."""
_COMPUTED, _SAVED = "#c2410c", "#0f766e"


def plot_usage(totals: Sequence[SkillTotal], path: Path) -> None:
    """Draws a bar a skill: the tokens that were computed, and those that were saved.

    Args:
        totals: the skills, the first one on top.
        path: the picture, PNG or SVG as its suffix says; replaced where it is there.

    Raises:
        UsageError: the suffix is another one, or the file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f'"{path}" is no picture that can be drawn', help=f"end its name in {' or '.join(FORMATS)}")
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure  # without pyplot: no window system, no state of the process
    except ImportError as exc:
        raise MissingExtraError.of("matplotlib", "plots") from exc
    shown = totals[:_MOST]
    # Equal counts give equal files: ids from a fixed salt, no date.
    with rc_context({"svg.hashsalt": "agentic-dsl", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(8, 1.2 + 0.35 * max(len(shown), 3)), layout="constrained")
        _draw(figure.add_subplot(), shown)
        try:
            metadata = {"Date": None} if path.suffix.lower() == ".svg" else None
            figure.savefig(path, dpi=150, metadata=metadata)
        except OSError as exc:
            help = "name a file that can be written"
            raise UsageError(f'"{path}" cannot be written: {exc.strerror}', help=help) from exc


def _draw(axes: Axes, shown: Sequence[SkillTotal]) -> None:
    """The bars, and beside each how often its skill was used."""
    places = range(len(shown))
    computed = [total.tokens - total.tokens_saved for total in shown]
    saved = [total.tokens_saved for total in shown]
    axes.barh(places, computed, color=_COMPUTED, label="computed")
    axes.barh(places, saved, left=computed, color=_SAVED, label="saved by reuse")
    for place, total in zip(places, shown, strict=True):
        text = f" {total.uses:,} × · {total.saved_share:.0%} saved"
        axes.annotate(text, (total.tokens, place), va="center", fontsize=8)
    axes.set_yticks(list(places), [total.skill for total in shown])
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("prompt tokens of the skill")
    axes.set_title("Tokens of skills: computed and saved")
    axes.spines[["top", "right"]].set_visible(False)
    if shown:
        axes.legend(loc="lower right", frameon=False)
