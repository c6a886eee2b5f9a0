"""The language server as an editor sees it: ``python -m benchmarks.bench_language_server``.

A real process, asked over its pipes. Each change makes a text that the server has not seen, in a workspace with a
library of 300 files. The waiting time after a change (``--debounce``) is set to 0, and printed apart: it is chosen.
Baseline beside it in the same run: ``validate`` as a process for each check, as editors without a server do it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.documents import block
from benchmarks.measure import Timing, heading, markdown_table

SERVER = (sys.executable, "-c", "import typer; from agentic_dsl.cli.lsp import lsp; typer.run(lsp)")
VALIDATE = (sys.executable, "-m", "agentic_dsl.cli", "validate", "--quiet")
LIBRARY_FILES = 300
CHANGES = 200
DEBOUNCE = 150
"""Milliseconds that the server waits by default."""
NEVER = 10_000
"""Milliseconds after which nothing is checked while the benchmark runs: what is measured is the question alone."""


class Editor:
    """One server process and the pipes to it."""

    def __init__(self, root: Path, debounce: int) -> None:
        self._process = subprocess.Popen(
            [*SERVER, "--debounce", str(debounce)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
        )
        self._number = 0
        self._root = root

    def __enter__(self) -> Editor:
        self.request("initialize", {"processId": None, "rootUri": self._root.as_uri(), "capabilities": {}})
        self.send({"method": "initialized", "params": {}})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self.request("shutdown", None)
            self.send({"method": "exit", "params": None})
        else:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def send(self, message: dict[str, Any]) -> None:
        """Sends a message."""
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def receive(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message of a kind; others are passed over."""
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            if header.startswith(b"Content-Length:"):
                while stream.readline().strip():
                    pass
                message: dict[str, Any] = json.loads(stream.read(int(header.split(b":")[1])))
                if fits(message):
                    return message
        raise RuntimeError("the server has ended")

    def request(self, method: str, params: Any) -> Any:
        """Asks, and gives the result."""
        self._number += 1
        self.send({"id": self._number, "method": method, "params": params})
        return self.receive(lambda message: message.get("id") == self._number)["result"]

    def open(self, uri: str, text: str) -> list[Any]:
        """Opens a document and gives its findings."""
        document = {"uri": uri, "languageId": "markdown", "version": 0, "text": text}
        self.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return self.findings(0)

    def change(self, uri: str, text: str, version: int) -> list[Any]:
        """Changes a document and gives its findings."""
        changes = {"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]}
        self.send({"method": "textDocument/didChange", "params": changes})
        return self.findings(version)

    def findings(self, version: int) -> list[Any]:
        """The findings of a version of a document."""

        def fits(message: dict[str, Any]) -> bool:
            is_findings = message.get("method") == "textDocument/publishDiagnostics"
            return is_findings and message["params"].get("version") == version

        found: list[Any] = self.receive(fits)["params"]["diagnostics"]
        return found


def main() -> None:
    """Prints the table."""
    print(heading("Language server", "pygls", "lsprotocol", "lark", "pyyaml"), end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        rows = [(what, *_quantiles(timing)) for what, timing in measurements(Path(folder))]
    print(markdown_table(("what", "p50", "p95", "range"), rows))


def _quantiles(timing: Timing) -> tuple[str, str, str]:
    p95 = statistics.quantiles(timing.seconds, n=20, method="inclusive")[-1]
    low, high = min(timing.seconds), max(timing.seconds)
    spread = f"{low * 1e3:.1f}–{high * 1e3:.1f} ms, n={len(timing.seconds)}"
    return f"{timing.median * 1e3:.1f} ms", f"{p95 * 1e3:.1f} ms", spread


def measurements(root: Path) -> Iterator[tuple[str, Timing]]:
    """What was measured, and how long it took."""
    _write_library(root / "lib")
    yield "start: process to first findings", Timing(tuple(_start(root) for _ in range(3)))
    with Editor(root, 0) as editor:
        _changes(editor, root, 20, 20)  # warm
        yield "20 nodes: change to findings", _changes(editor, root, 20, CHANGES)
        yield "200 nodes: change to findings", _changes(editor, root, 200, CHANGES // 4)
    with Editor(root, NEVER) as editor:
        for name, timing in _questions(editor, root):
            yield f"20 nodes: change to {name}", timing
    with Editor(root, DEBOUNCE) as editor:
        yield f"20 nodes: change to findings, {DEBOUNCE} ms of waiting in it", _changes(editor, root, 20, 20)
    yield "baseline: a `validate` process, the file alone", _processes(root)


def _write_library(folder: Path) -> None:
    folder.mkdir()
    for number in range(LIBRARY_FILES):
        text = block(f"/lib/utils/plan_{number}", 15, salt=1_000 + number)
        (folder / f"plan_{number}.md").write_text(text, encoding="utf-8")


def _start(root: Path) -> float:
    start = time.perf_counter()
    with Editor(root, 0) as editor:
        editor.open((root / "plan.md").as_uri(), block("/main/plan", 20))
        return time.perf_counter() - start


def _text(nodes: int, version: int) -> str:
    """A document of which every version has a finding more or less than the one before."""
    text = block("/main/plan", nodes, salt=version)
    return text.replace("type: end", "type: end\n    nonsense: 1") if version % 2 else text


def _changes(editor: Editor, root: Path, nodes: int, count: int) -> Timing:
    """The time from a change to its findings."""
    uri = (root / f"plan_{nodes}.md").as_uri()
    before = editor.open(uri, _text(nodes, 0))
    seconds = []
    for version in range(1, count + 1):
        text = _text(nodes, version)
        start = time.perf_counter()
        found = editor.change(uri, text, version)
        seconds.append(time.perf_counter() - start)
        if len(found) == len(before):
            raise RuntimeError("the findings are not those of the text that was sent")
        before = found
    return Timing(tuple(seconds))


def _questions(editor: Editor, root: Path) -> Iterator[tuple[str, Timing]]:
    """The time from a change to the answer about a place in the new text, which has to be read for it."""
    uri = (root / "questions.md").as_uri()
    editor.open(uri, _text(20, 0))
    version = 0
    for name, method, word in (
        ("hover", "textDocument/hover", "web_search"),
        ("completion of a reference", "textDocument/completion", "/main/plan/check"),
        ("completion of a name", "textDocument/completion", "topic_"),
        ("definition", "textDocument/definition", "/main/plan/check"),
    ):
        seconds = []
        for _ in range(CHANGES // 4):
            version += 1
            text = _declared(block("/main/plan", 20, salt=10_000 + version))
            before = text[: text.rindex(word) + 3]
            position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
            start = time.perf_counter()
            changes = {"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]}
            editor.send({"method": "textDocument/didChange", "params": changes})
            answer = editor.request(method, {"textDocument": {"uri": uri}, "position": position})
            seconds.append(time.perf_counter() - start)
            if not answer:
                raise RuntimeError(f"{name} has no answer")
        yield name, Timing(tuple(seconds))


def _declared(text: str) -> str:
    """A document that declares its tool, so that there is something to say about it."""
    tool = "type: resource_declare\nresources:\n  - type: tool\n    name: web_search\n    description: Searches.\n"
    return f"### AgenticDSL `/__meta__/resources`\n```yaml\n{tool}```\n\n{text}"


def _processes(root: Path) -> Timing:
    """The time of a process for each check."""
    file = root / "plan.md"
    seconds = []
    for version in range(10):
        file.write_text(_text(20, version), encoding="utf-8")
        start = time.perf_counter()
        subprocess.run([*VALIDATE, str(file)], capture_output=True, check=False, cwd=root)
        seconds.append(time.perf_counter() - start)
    return Timing(tuple(seconds))


if __name__ == "__main__":
    main()
