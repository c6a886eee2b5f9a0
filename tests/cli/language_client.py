"""A client of the language server, as small as it can be: JSON-RPC over the pipes of a real process."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

MARK = "‸"
"""Where the cursor stands in the texts of tests."""

_COMMAND = "import typer\nfrom agentic_dsl.cli.lsp import lsp\ntyper.run(lsp)"
SECONDS = 20


class LanguageClient:
    """One server process and what it has said. Use it as a context manager.

    Attributes:
        capabilities: what the server says that it can do.
        messages: of the server's log and windows.
    """

    def __init__(
        self,
        root: Path,
        *arguments: str,
        encodings: tuple[str, ...] = (),
        debounce: int = 0,
        watches: bool = True,
    ) -> None:
        self.root = root
        self.messages: list[str] = []
        self.registrations: list[str] = []
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._found: queue.Queue[dict[str, Any]] = queue.Queue()
        self._number = 0
        self._open: set[str] = set()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "--debounce", str(debounce), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=root,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._errors: list[bytes] = []
        self._drain = threading.Thread(target=self._read_errors, daemon=True)
        self._drain.start()
        general = {"positionEncodings": list(encodings)} if encodings else {}
        files = {"didChangeWatchedFiles": {"dynamicRegistration": watches}}
        answer = self.request(
            "initialize",
            {
                "processId": None,
                "rootUri": root.as_uri(),
                "workspaceFolders": [{"uri": root.as_uri(), "name": "work"}],
                "capabilities": {"general": general, "workspace": files},
            },
        )
        self.capabilities: dict[str, Any] = answer["capabilities"]
        self.notify("initialized", {})

    def __enter__(self) -> LanguageClient:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None and error[0] is None:
            self.request("shutdown", None)
            self.notify("exit", None)
            assert self.process.wait(SECONDS) == 0
        self.process.kill()
        self.process.wait()
        self._reader.join(SECONDS)
        self._drain.join(SECONDS)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    @property
    def stderr(self) -> str:
        """What the server has written for people so far."""
        return b"".join(self._errors).decode()

    def notify(self, method: str, params: Any) -> None:
        """Sends what has no answer."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method: str, params: Any) -> Any:
        """Sends a request and gives its result."""
        self._number += 1
        self.send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        while True:
            answer = self._answers.get(timeout=SECONDS)
            if answer["id"] == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def send(self, message: Any) -> None:
        """Sends anything."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def findings(self, uri: str, version: int | None = None) -> list[dict[str, Any]]:
        """The next findings of a document, those of a version where one is named."""
        while True:
            found = self._found.get(timeout=SECONDS)
            if found["uri"] == uri and (version is None or found.get("version") == version):
                return list(found["diagnostics"])

    def has_more_findings(self, seconds: float) -> bool:
        """Whether findings of any document come within a time."""
        try:
            self._found.get(timeout=seconds)
        except queue.Empty:
            return False
        return True

    def uri(self, name: str) -> str:
        """The address of a file of the workspace."""
        return (self.root / name).as_uri()

    def open(self, name: str, text: str, language: str = "markdown") -> str:
        """Opens a document, whatever the disk holds, and gives its address."""
        uri = self.uri(name)
        if uri in self._open:
            self.close(uri)
        self._open.add(uri)
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def change(self, uri: str, text: str, version: int) -> None:
        """Sends a new text."""
        document = {"uri": uri, "version": version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def close_all(self) -> None:
        """Closes every document that is open, and forgets what was found in them."""
        for uri in list(self._open):
            self.close(uri)
        self.request("textDocument/documentSymbol", {"textDocument": {"uri": self.uri("nothing.md")}})
        while not self._found.empty():
            self._found.get()

    def close(self, uri: str) -> None:
        """Closes a document."""
        self._open.discard(uri)
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def ask(self, what: str, uri: str, position: dict[str, int], **more: Any) -> Any:
        """Asks about a place in a document: ``hover``, ``completion``, ``definition``."""
        return self.request(f"textDocument/{what}", {"textDocument": {"uri": uri}, "position": position, **more})

    def ask_in(self, name: str, marked: str, what: str, **more: Any) -> Any:
        """Opens a text with a mark where the cursor stands, and asks about that place."""
        text, position = unmarked(marked)
        uri = self.open(name, text)
        return self.ask(what, uri, position, **more)

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while line := stream.readline():
            if not line.lower().startswith(b"content-length:"):
                continue
            length = int(line.split(b":")[1])
            while stream.readline().strip():
                pass
            self._take(json.loads(stream.read(length)))

    def _read_errors(self) -> None:
        stream = self.process.stderr
        assert stream is not None
        self._errors.extend(iter(stream.readline, b""))

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            self._answers.put(message)
        elif method == "textDocument/publishDiagnostics":
            self._found.put(message["params"])
        elif method in ("window/logMessage", "window/showMessage"):
            self.messages.append(message["params"]["message"])
        elif method == "client/registerCapability":
            self.registrations += [one["method"] for one in message["params"]["registrations"]]
            with contextlib.suppress(OSError, ValueError):  # a test may have closed the pipe
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": None})


def unmarked(marked: str) -> tuple[str, dict[str, int]]:
    """A text without its mark, and the position of the mark in UTF-16, as the protocol counts."""
    before, mark, after = marked.partition(MARK)
    assert mark, "the text has no mark"
    lines = before.split("\n")
    return before + after, {"line": len(lines) - 1, "character": len(lines[-1].encode("utf-16-le")) // 2}


def applied(text: str, edits: list[dict[str, Any]]) -> str:
    """A text after edits, as an editor applies them: all at once, by UTF-16 positions."""
    lines = text.splitlines(keepends=True)

    def offset(position: dict[str, int]) -> int:
        if position["line"] >= len(lines):
            return len(text)
        line = lines[position["line"]]
        units = line.encode("utf-16-le")[: 2 * position["character"]]
        return sum(map(len, lines[: position["line"]])) + len(units.decode("utf-16-le"))

    found = [(offset(edit["range"]["start"]), offset(edit["range"]["end"]), edit["newText"]) for edit in edits]
    for start, end, new in sorted(found, reverse=True):
        text = text[:start] + new + text[end:]
    return text
