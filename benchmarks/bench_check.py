"""Parsing and checking: ``python -m benchmarks.bench_check``.

Baseline beside it in the same run: PyYAML's C loader alone on the same bodies, which builds plain dicts
without positions.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.parse.document import parse
from benchmarks.documents import block
from benchmarks.measure import Timing, heading, timed


def main() -> None:
    """Prints the table."""
    print(heading("Parse and check", "lark", "pyyaml"))
    warm = block("/main/warm_up", 20, salt=10_000)
    check(parse(warm))
    small = [block("/main/plan", 20, salt=number) for number in range(60)]
    print("20 nodes: libyaml into dicts, no positions  ", timed(_plain_yaml, small).text())
    print("20 nodes: parse                             ", timed(parse, small).text())
    fresh = [block("/main/plan", 20, salt=number) for number in range(100, 160)]
    print("20 nodes: parse and check                   ", timed(lambda text: check(parse(text)), fresh).text())
    large = [block("/main/plan", 5_000, salt=number) for number in range(1, 6)]
    print("5,000 nodes in one subgraph: parse and check", timed(lambda text: check(parse(text)), large).text())
    print("5,000 nodes in a library of 250 files       ", _library(range(20, 25)).text())


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
