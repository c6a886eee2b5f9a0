"""Characters on a grid: boxes, texts and lines that join or jump over each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag

from agentic_dsl.cli.findings import cells


class Side(IntFlag):
    """The sides of a cell that a line touches."""

    UP = 1
    DOWN = 2
    LEFT = 4
    RIGHT = 8


_VERTICAL, _HORIZONTAL = Side.UP | Side.DOWN, Side.LEFT | Side.RIGHT

_JOINTS: dict[Side, str] = {
    _VERTICAL: "│",
    Side.UP: "│",
    Side.DOWN: "│",
    _HORIZONTAL: "─",
    Side.LEFT: "─",
    Side.RIGHT: "─",
    Side.DOWN | Side.RIGHT: "╭",
    Side.DOWN | Side.LEFT: "╮",
    Side.UP | Side.RIGHT: "╰",
    Side.UP | Side.LEFT: "╯",
    _VERTICAL | Side.RIGHT: "├",
    _VERTICAL | Side.LEFT: "┤",
    _HORIZONTAL | Side.DOWN: "┬",
    _HORIZONTAL | Side.UP: "┴",
    _VERTICAL | _HORIZONTAL: "┼",
}

_DASHED = {"│": "┊", "─": "╌"}

_ASCII = str.maketrans(
    dict.fromkeys("┌┐└┘╭╮╰╯├┤┬┴┼", "+")
    | {"│": "|", "┊": ":", "─": "-", "╌": ".", "▼": "v", "→": ">", "…": "~", "●": "*", "○": "o"}
)


@dataclass(slots=True)
class Canvas:
    """A grid that grows as it is drawn on. Rows and columns count from 0.

    Owned by one drawing; texts and boxes are final, lines are joined when `rows` is called.
    """

    _fixed: dict[tuple[int, int], str] = field(default_factory=dict)
    _lines: dict[tuple[int, int], dict[int, Side]] = field(default_factory=dict)
    _dashed: set[int] = field(default_factory=set)

    def text(self, row: int, column: int, text: str) -> None:
        """Writes a text; a wide character takes two cells."""
        for character in text:
            self._fixed[row, column] = character
            wide = cells(character)
            if wide == 2:
                self._fixed[row, column + 1] = ""
            column += wide

    def box(self, row: int, left: int, width: int, texts: list[str], *, rounded: bool) -> None:
        """Draws a box with one line a text."""
        corners = "╭╮╰╯" if rounded else "┌┐└┘"
        self.text(row, left, corners[0] + "─" * (width - 2) + corners[1])
        for offset, text in enumerate(texts, start=1):
            self.text(row + offset, left, "│ " + text + " " * (width - 4 - cells(text)) + " │")
        self.text(row + len(texts) + 1, left, corners[2] + "─" * (width - 2) + corners[3])

    def vertical(self, line: int, column: int, top: int, bottom: int) -> None:
        """A piece of a line from the middle of one row down to the middle of another."""
        for row in range(top, bottom):
            self._touch(line, row, column, Side.DOWN)
            self._touch(line, row + 1, column, Side.UP)

    def horizontal(self, line: int, row: int, left: int, right: int) -> None:
        """A piece of a line along a row."""
        for column in range(left, right):
            self._touch(line, row, column, Side.RIGHT)
            self._touch(line, row, column + 1, Side.LEFT)

    def dash(self, line: int) -> None:
        """Draws a line dashed from now on."""
        self._dashed.add(line)

    def _touch(self, line: int, row: int, column: int, side: Side) -> None:
        sides = self._lines.setdefault((row, column), {})
        sides[line] = sides.get(line, Side(0)) | side

    def rows(self, *, unicode: bool = True) -> list[str]:
        """The drawing, one text a row."""
        grid = {place: self._joint(sides) for place, sides in self._lines.items()} | self._fixed
        if not grid:
            return []
        last_row = max(row for row, _ in grid)
        last_column = max(column for _, column in grid)
        rows = [
            "".join(grid.get((row, column), " ") for column in range(last_column + 1)).rstrip()
            for row in range(last_row + 1)
        ]
        return rows if unicode else [row.translate(_ASCII) for row in rows]

    def _joint(self, sides: dict[int, Side]) -> str:
        """The character of a cell. Where two lines cross, the vertical one jumps over the other."""
        line = max(sides, key=lambda line: (bool(sides[line] & _VERTICAL), bin(sides[line]).count("1")))
        character = _JOINTS[sides[line]]
        return _DASHED.get(character, character) if line in self._dashed else character
