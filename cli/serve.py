"""``agentic-dsl serve``: vLLM's OpenAI server with our plug-in: warmed up, watched, ended with all its processes."""

from __future__ import annotations

import codecs
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from agentic_dsl.cli import findings
from agentic_dsl.cli import settings as names
from agentic_dsl.cli.inputs import read_library
from agentic_dsl.cli.options import ConstraintOptions, FormatOption, LibOption, QuietOption, output_of
from agentic_dsl.cli.output import INTERRUPTED, Output
from agentic_dsl.cli.settings import Settings
from agentic_dsl.errors import UsageError

if TYPE_CHECKING:
    from agentic_dsl.constraints import Constraints
    from agentic_dsl.runtime.service.process import ServerProcess
    from agentic_dsl.runtime.service.server import Server
    from agentic_dsl.runtime.service.warm_up import WarmUp

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(
    extra: Annotated[
        list[str] | None, typer.Argument(metavar="-- VLLM_ARGUMENT", help="Everything after -- goes to vLLM.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="M", help="Model: a name, folder or hub name; smollm2 by default.")
    ] = None,
    host: Annotated[str, typer.Option("--host", metavar="H", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="P", min=0, max=65535, help="Port to listen at; 0 takes a free one.")
    ] = 8000,
    warm_up: Annotated[
        list[str] | None,
        typer.Option("--warm-up", metavar="PATH", help="Library or generation path to compile at once; repeatable."),
    ] = None,
    warm_up_spec: Annotated[
        list[str] | None,
        typer.Option(
            "--warm-up-spec", metavar="FILE", help="Document, or constraints (.json), to compile at once; repeatable."
        ),
    ] = None,
    lib: LibOption = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=1, help="Seconds until the server must answer.")
    ] = 600.0,
    grace: Annotated[
        float, typer.Option("--grace", metavar="S", min=0, help="Seconds to end in, before it is killed.")
    ] = 10.0,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", metavar="F", help="Append the server's log here instead of stderr.")
    ] = None,
    no_plugin: Annotated[
        bool, typer.Option("--no-plugin", help="Leave our plug-in out: the server enforces the grammar alone.")
    ] = False,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Run a vLLM server that enforces whole contracts.

    Prints one line when it is ready, and runs until it is stopped (Ctrl-C, SIGTERM). Exit code 0: stopped. 2: the
    server could not start, or ended by itself; the end of its log is on stderr.
    """
    from agentic_dsl.runtime.service.plan import ServeOptions, plan_server
    from agentic_dsl.runtime.service.server import Server
    from agentic_dsl.runtime.service.warm_up import plan_warm_ups

    settings = Settings.load()
    out = output_of(settings, format, quiet)
    library = read_library(lib or settings.value(names.LIB))
    specs = [(name, _constraints(name, lib, settings, out)) for name in warm_up_spec or ()]
    items = plan_warm_ups(warm_up or (), specs, library)
    chosen = settings.value(names.MODEL, model) or names.DEFAULT_MODEL
    plan = plan_server(ServeOptions(model=chosen, host=host, port=port, plugin=not no_plugin, extra=tuple(extra or ())))
    with ExitStack() as stack:
        log = stack.enter_context(_Log.opened(out, log_file))
        server = stack.enter_context(Server(plan, grace=grace, on_output=log.write))
        asked = stack.enter_context(_stopped_by_signals(server.process))
        try:
            _get_ready(server, items, timeout, out, log)
            server.wait()
            if not asked:
                raise server.process.ended_error("while it served")
        except Exception:
            # Whatever fails while the server is being stopped, fails because of that.
            if not asked:
                raise
        server.stop()
    if asked[0] == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)


def _constraints(name: str, lib: list[Path] | None, settings: Settings, out: Output) -> Constraints:
    """The constraints that ``generate`` takes from a file: a document, or constraints as JSON."""
    is_json = name.endswith(".json")
    options = ConstraintOptions(constraints=name if is_json else None, spec=None if is_json else name, lib=lib)
    return options.to_constraints(settings, out)


def _get_ready(server: Server, items: Sequence[WarmUp], timeout: float, out: Output, log: _Log) -> None:
    """Waits for the server, warms it up, and says that it is ready, in one line."""
    with _progress(out, server, log) as show:
        seconds = server.wait_until_ready(timeout, lambda waited: show(f"starting {server.plan.model}, {waited:.0f} s"))
        overlay = server.overlay() if server.plan.plugin else False
        warmed = []
        for number, item in enumerate(items, 1):
            show(f"warm-up {number} of {len(items)}: {item.label}")
            warmed.append(_warm(server, item, out))
    if server.plan.plugin and not overlay:
        said = "is not active" if overlay is False else "does not answer"
        out.note(f"warning: the plug-in {said}; where it does not, the server enforces the grammar alone. See its log")
    if out.json:
        record = {"url": server.base_url, "model": server.plan.model, "overlay": overlay, "pid": server.process.pid}
        # One line, so that whoever reads the stream knows where the record ends.
        out.data(json.dumps(record | {"seconds": round(seconds, 1), "warm_up": warmed}) + "\n")
    else:
        state = {True: "on", False: "off", None: "unknown"}[overlay]
        out.data(f"ready: {server.base_url}, model {server.plan.model}, overlay {state}\n")
    sys.stdout.flush()


def _warm(server: Server, item: WarmUp, out: Output) -> dict[str, Any]:
    """One warm-up and how it went. A server that runs serves other requests, so a refusal is a note."""
    from agentic_dsl.runtime.service.process import ServerError

    try:
        seconds = server.warm_up(item)
    except ServerError as exc:
        if server.process.exit_code() is not None:
            raise
        out.note(f"warning: {exc.message}")
        return {"label": item.label, "seconds": None, "error": exc.message}
    out.note(f"warmed up: {item.label} ({seconds:.1f} s)")
    return {"label": item.label, "seconds": round(seconds, 2), "error": None}


@contextmanager
def _stopped_by_signals(process: ServerProcess) -> Iterator[list[int]]:
    """Passes signals on to the server: the first asks it to end, the second ends it. Gives those that came.

    One that was ignored when this process began stays so: ``nohup`` means that a closed terminal ends nothing.
    """
    asked: list[int] = []

    def stop(number: int, _frame: object) -> None:
        process.kill() if asked else process.ask_to_stop()
        asked.append(number)

    heeded = [number for number in _STOPPING if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class _Log:
    """Where the server's log goes: a file, else stderr; nowhere where it is quiet, or while a status line is there."""

    def __init__(self, out: Output, file: BinaryIO | None) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.shown = not out.quiet

    @classmethod
    @contextmanager
    def opened(cls, out: Output, path: Path | None) -> Iterator[_Log]:
        """The log of one run.

        Raises:
            UsageError: the file cannot be written.
        """
        if path is None:
            yield cls(out, None)
            return
        try:
            file = path.open("ab", buffering=0)
        except OSError as exc:
            raise UsageError(f"{path} cannot be written: {exc.strerror}", help="name another --log-file") from exc
        with file:
            yield cls(out, file)

    def write(self, piece: bytes) -> None:
        """Takes a piece of the log; called in the thread that reads it."""
        if self._file is not None:
            self._file.write(piece)
        elif self.shown:
            sys.stderr.write(self._decoder.decode(piece))
            sys.stderr.flush()


@contextmanager
def _progress(out: Output, server: Server, log: _Log) -> Iterator[Callable[[str], None]]:
    """Shows how far a start is: on a terminal in a line of its own in place of the log."""
    if not out.shows_progress:
        out.note(f"starting {server.plan.model} at {server.base_url}")
        yield lambda _text: None
        return
    from rich.console import Console

    console = Console(stderr=True)
    before, log.shown = log.shown, False
    try:
        with console.status("starting") as status:

            def show(text: str) -> None:
                last = "".join(server.process.last_lines(1))
                line = findings.printable(last)[: max(console.width - len(text) - 8, 0)].replace("[", "\\[")
                status.update(f"{text}  [dim]{line}[/dim]")

            yield show
    finally:
        log.shown = before
