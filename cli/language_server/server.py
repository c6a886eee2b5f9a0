"""The server itself: the protocol's messages in and out, over standard input and output.

It runs in one event loop, so a question always sees the text that was sent before it. Whatever goes wrong in a handler
is logged and answered with nothing; the server goes on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from agentic_dsl.cli.language_server.answers import Answers
from agentic_dsl.cli.language_server.code_actions import KINDS
from agentic_dsl.cli.language_server.completion import TRIGGERS
from agentic_dsl.cli.language_server.diagnostics import SOURCE
from agentic_dsl.cli.language_server.session import ServerOptions, Session, log

__all__ = ["ServerOptions", "serve"]

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class _Server(LanguageServer):
    """pygls' server, which tells of errors in the log instead of in a window."""

    def report_server_error(self, error: Exception, _source: object) -> None:
        log(self, f"a message could not be handled: {error}")


def serve(options: ServerOptions) -> int:
    """Serves one editor until it leaves, and gives the exit code: 1 where it leaves without having said so."""
    logging.getLogger("pygls").setLevel(logging.ERROR)  # it warns of every message that a server may ignore
    # Whole texts: pygls applies partial changes by lines that end at U+2028 too, which editors do not count.
    server = _Server(SOURCE, _version(), text_document_sync_kind=types.TextDocumentSyncKind.Full)
    session = Session(server, options)
    _register(server, session, Answers(session.workspace))
    # A stream of our own: nothing else that prints may reach the editor, and the protocol closes it in the end.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as stream, contextlib.redirect_stdout(sys.stderr):
        server.start_io(sys.stdin.buffer, stream)
    return 0 if session.was_shut_down else 1


def _register(server: LanguageServer, session: Session, answers: Answers) -> None:
    """Gives every message its handler."""
    actions = types.CodeActionOptions(code_action_kinds=list(KINDS), resolve_provider=True)
    handlers: Sequence[tuple[str, Callable[[Any], Any], Any]] = (
        (types.INITIALIZE, session.initialize, None),
        (types.INITIALIZED, session.initialized, None),
        (types.SHUTDOWN, session.shut_down, None),
        (types.TEXT_DOCUMENT_DID_OPEN, session.opened, None),
        (types.TEXT_DOCUMENT_DID_CHANGE, session.changed, None),
        (types.TEXT_DOCUMENT_DID_SAVE, session.saved, None),
        (types.TEXT_DOCUMENT_DID_CLOSE, session.closed, None),
        (types.WORKSPACE_DID_CHANGE_WATCHED_FILES, session.files_changed, None),
        (types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, session.folders_changed, None),
        (types.WORKSPACE_DID_CHANGE_CONFIGURATION, session.configured, None),
        (types.TEXT_DOCUMENT_HOVER, answers.hover, None),
        (
            types.TEXT_DOCUMENT_COMPLETION,
            answers.completion,
            types.CompletionOptions(trigger_characters=list(TRIGGERS)),
        ),
        (types.TEXT_DOCUMENT_DEFINITION, answers.definition, None),
        (types.TEXT_DOCUMENT_REFERENCES, answers.references, None),
        (types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, answers.symbols, None),
        (types.TEXT_DOCUMENT_FORMATTING, answers.formatting, None),
        (types.TEXT_DOCUMENT_CODE_ACTION, answers.code_actions, actions),
        (types.CODE_ACTION_RESOLVE, answers.resolve_action, None),
    )
    for method, handler, options in handlers:
        server.feature(method, options)(_guarded(session, method, handler))


def _guarded(session: Session, method: str, handler: Callable[[Asked], Answer]) -> Callable[[Asked], Answer | None]:
    """A handler that never raises."""

    def handle(params: Asked) -> Answer | None:
        try:
            return handler(params)
        except Exception as exc:
            session.failed(method, exc)
            return None

    return handle


def _version() -> str:
    try:
        return version(SOURCE)
    except PackageNotFoundError:  # an in-tree run without an install
        return "0"
