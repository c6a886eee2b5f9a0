"""One editor's session: documents come, change and go; their findings are sent."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from agentic_dsl.cli.inputs import SUFFIX
from agentic_dsl.cli.language_server.diagnostics import diagnostics, is_ours
from agentic_dsl.cli.language_server.library_files import files_of
from agentic_dsl.cli.language_server.positions import Encoding
from agentic_dsl.cli.language_server.project_rules import FILES
from agentic_dsl.cli.language_server.workspace import LANGUAGES, Workspace, name_of
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import ToolSpec
from agentic_dsl.errors import UsageError

SCAN_SECONDS = 2.0
"""How long the first findings wait for the library of the workspace; after that they come without."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The options of one server.

    Attributes:
        libraries: files and folders of library documents, beside those of the workspace.
        tools: of the tools file.
        debounce: seconds without a change after which a document is checked.
    """

    libraries: tuple[Path, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    debounce: float = 0.15


class Session:
    """One server with its editor. Everything happens in the server's event loop, in the order of the messages.

    Attributes:
        workspace: what is known.
        was_shut_down: whether the editor has said that it will leave.
    """

    def __init__(self, server: LanguageServer, options: ServerOptions) -> None:
        self.server = server
        self.workspace = Workspace(self._complain, options.libraries, options.tools)
        self.was_shut_down = False
        self._debounce = options.debounce
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._complaints: set[str] = set()
        self._is_ready = False
        self._is_watched = False
        self._scan: asyncio.Task[None] | None = None

    def failed(self, what: str, error: Exception) -> None:
        """Tells of an error of ours: everything on stderr, a line in the editor's log."""
        sys.stderr.write("".join(traceback.format_exception(error)))
        log(self.server, f"{what} failed: {type(error).__name__}: {error}")

    def _complain(self, error: UsageError) -> None:
        """Tells about settings that cannot be used, once."""
        text = f"{error.message} (help: {error.help})" if error.help else error.message
        if text not in self._complaints:
            self._complaints.add(text)
            self.server.window_show_message(types.ShowMessageParams(types.MessageType.Warning, text))

    # --- the life of a session ---------------------------------------------------------------------------------------

    def initialize(self, _params: types.InitializeParams) -> None:
        """Takes what the editor can do."""
        self.workspace.encoding = Encoding(self.server.workspace.position_encoding)

    def initialized(self, _params: types.InitializedParams) -> None:
        """Begins to read the library, and asks to be told of files that change."""
        asyncio.get_running_loop().call_later(SCAN_SECONDS, self._begin)
        self._read_library()
        said = self.server.client_capabilities.workspace
        watched = said.did_change_watched_files if said is not None else None
        if watched is not None and watched.dynamic_registration:
            patterns = [types.FileSystemWatcher(f"**/{name}") for name in (f"*{SUFFIX}", *FILES)]
            options = types.DidChangeWatchedFilesRegistrationOptions(patterns)
            registration = types.Registration("files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
            self.server.client_register_capability(types.RegistrationParams([registration]))
            self._is_watched = True

    def _read_library(self) -> None:
        if self._scan is not None:
            self._scan.cancel()
        self._scan = asyncio.get_running_loop().create_task(self._scan_folders())

    async def _scan_folders(self) -> None:
        """Reads the library of the workspace, a file at a time, so that questions are answered meanwhile."""
        is_changed = False
        try:
            parse("### AgenticDSL `/main/warm`\n```yaml\ntype: end\n```\n")  # the grammars of the front end
            folders = self._folders()
            libraries = self.workspace.libraries(folders)
            for paths in (libraries, folders):
                for name in await asyncio.to_thread(_listed, paths):
                    if paths is libraries or not self.workspace.rules(name).excludes(name):
                        is_changed |= self.workspace.library.read(name)
                    await asyncio.sleep(0)
            for name in self.workspace.library.names:
                is_changed |= self.workspace.library.read(name)
        except Exception as exc:
            self.failed("reading the library", exc)
        if is_changed:
            gc.freeze()  # what was read stays: looking through it for garbage takes longer than checking a document
        if is_changed or not self._is_ready:
            self._check_all()

    def _begin(self) -> None:
        """Lets findings out although the library is not read yet."""
        if not self._is_ready:
            self._check_all()

    def _folders(self) -> list[Path]:
        """The folders of the workspace."""
        uris = list(self.server.workspace.folders) or [self.server.workspace.root_uri or ""]
        return [Path(name) for uri in uris if uri and os.path.isdir(name := name_of(uri))]

    def shut_down(self, _params: None) -> None:
        """Ends the work, because the editor will leave."""
        self.was_shut_down = True
        for timer in self._timers.values():
            timer.cancel()
        if self._scan is not None:
            self._scan.cancel()

    # --- documents ---------------------------------------------------------------------------------------------------

    def opened(self, params: types.DidOpenTextDocumentParams) -> None:
        """A document is open now."""
        document = params.text_document
        language = getattr(document.language_id, "value", document.language_id)
        if language in LANGUAGES:
            self.workspace.put(document.uri, document.text, document.version)
            self._schedule(document.uri, 0)

    def changed(self, params: types.DidChangeTextDocumentParams) -> None:
        """A document has a new text."""
        uri = params.text_document.uri
        if uri in self.workspace.open and params.content_changes:
            text = params.content_changes[-1].text  # each is a whole text: no other way was offered
            self.workspace.put(uri, text, params.text_document.version)
            self._schedule(uri, self._debounce)

    def saved(self, params: types.DidSaveTextDocumentParams) -> None:
        """A document stands on disk as it is."""
        if not self._is_watched:  # nobody tells what else has changed
            self.workspace.forget_rules()
            self._read_library()
        if params.text_document.uri in self.workspace.open:
            self._schedule(params.text_document.uri, 0)

    def closed(self, params: types.DidCloseTextDocumentParams) -> None:
        """A document is not open any more."""
        uri = params.text_document.uri
        if timer := self._timers.pop(uri, None):
            timer.cancel()
        if uri in self.workspace.open:
            is_changed = self.workspace.remove(uri)
            self._publish(uri, None, [])
            if is_changed:
                self._check_all()

    def files_changed(self, params: types.DidChangeWatchedFilesParams) -> None:
        """Files have changed on disk."""
        is_changed = False
        for change in params.changes:
            name = name_of(change.uri)
            if os.path.basename(name) in FILES:
                self.workspace.forget_rules()
                is_changed = True
            elif name.endswith(SUFFIX) and not self.workspace.rules(name).excludes(name):
                is_changed |= self.workspace.library.read(name)
        if is_changed:
            self._check_all()

    def folders_changed(self, _params: types.DidChangeWorkspaceFoldersParams) -> None:
        """The workspace has other folders."""
        self._read_library()

    def configured(self, _params: types.DidChangeConfigurationParams) -> None:
        """The editor's settings have changed; ours may have as well."""
        self.workspace.forget_rules()
        self._check_all()

    # --- findings ----------------------------------------------------------------------------------------------------

    def _check_all(self) -> None:
        self._is_ready = True
        for uri in self.workspace.open:
            self._schedule(uri, 0)

    def _schedule(self, uri: str, delay: float) -> None:
        """Checks a document after a while; one that takes long to check waits as long, so that typing stays smooth."""
        if timer := self._timers.pop(uri, None):
            timer.cancel()
        if not self._is_ready:
            return
        if delay:
            delay = max(delay, self.workspace.open[uri].seconds)
        self._timers[uri] = asyncio.get_running_loop().call_later(delay, self._check, uri)

    def _check(self, uri: str) -> None:
        self._timers.pop(uri, None)
        try:
            self._check_one(uri)
        except Exception as exc:
            self.failed(f"checking {uri}", exc)

    def _check_one(self, uri: str) -> None:
        """Publishes the findings of a document, and checks the others where they may call what has changed."""
        analysis = self.workspace.analysis(uri)
        if analysis is None:
            return
        start = time.perf_counter()
        found = diagnostics(analysis, self.workspace.findings(analysis)) if is_ours(analysis) else []
        self._publish(uri, analysis.version, found)
        is_changed = self.workspace.note_read(uri, analysis)
        self.workspace.open[uri].seconds = time.perf_counter() - start
        if is_changed:
            for other in self.workspace.open:
                if other != uri:
                    self._schedule(other, self._debounce)

    def _publish(self, uri: str, version: int | None, found: list[types.Diagnostic]) -> None:
        self.server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))


def _listed(paths: list[Path]) -> list[str]:
    return list(files_of(paths))


def log(server: LanguageServer, text: str) -> None:
    """A line in the editor's log."""
    with contextlib.suppress(Exception):  # the editor may be gone; stderr has it too
        server.window_log_message(types.LogMessageParams(types.MessageType.Error, text))
