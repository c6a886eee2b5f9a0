"""Parsing and checking: ``python -m benchmarks.bench_check``.

Baseline beside it in the same run: PyYAML's C loader alone on the same bodies, which builds plain dicts
without positions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.parse.document import parse
from benchmarks.documents import block
from benchmarks.measure import Timing, heading, markdown_table, timed


def main() -> None:
    """Prints the table."""
    print(heading("Parse and check", "lark", "pyyaml"), end="\n\n")
    rows = ((what, timing.text()) for what, timing in measurements())
    print(markdown_table(("what", "median (range)"), rows))


def measurements() -> Iterator[tuple[str, Timing]]:
    """What was measured, and how long it took; texts differ each time, so no cache of ours is warm for them."""
    check(parse(block("/main/warm_up", 20, salt=10_000)))
    small = [block("/main/plan", 20, salt=number) for number in range(60)]
    yield "20 nodes: libyaml into dicts, no positions", timed(_plain_yaml, small)
    yield "20 nodes: parse", timed(parse, small)
    fresh = [block("/main/plan", 20, salt=number) for number in range(100, 160)]
    yield "20 nodes: parse and check", timed(_parse_and_check, fresh)
    large = [block("/main/plan", 5_000, salt=number) for number in range(1, 6)]
    yield "5,000 nodes in one subgraph: parse and check", timed(_parse_and_check, large)
    yield "5,000 nodes in a library of 250 files: load and check", _library(range(20, 25))


def _parse_and_check(text: str) -> None:
    check(parse(text))


def _plain_yaml(text: str) -> object:
    body = text.split("```yaml\n", 1)[1].rsplit("```", 1)[0]
    return yaml.load(body, Loader=yaml.CSafeLoader)


def _library(salts: range) -> Timing:
    """Loading and checking every file of a library: 250 files of 20 nodes."""
    with tempfile.TemporaryDirectory() as root:
        folders = []
        for salt in salts:
            folder = Path(root, str(salt))
            folder.mkdir()
            for number in range(250):
                text = block(f"/lib/utils/plan_{number}", 20, salt=salt * 250 + number)
                (folder / f"plan_{number}.md").write_text(text)
            folders.append(folder)
        return timed(_check_library, folders)


def _check_library(folder: Path) -> None:
    library = Library.load([folder])
    for document in {id(entry.document): entry.document for entry in library.entries}.values():
        check(document, library=library)


if __name__ == "__main__":
    main()
