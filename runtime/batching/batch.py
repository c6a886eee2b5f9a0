"""One batch of a `BatchQueue`: what its engine is asked, and what its callers hear meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from agentic_dsl.errors import AgenticDSLError, EngineError
from agentic_dsl.runtime.batching.ticket import Ticket
from agentic_dsl.runtime.engines.base import Engine, EngineResult, OnToken

_log = logging.getLogger(__name__)


class _Abandoned(Exception):
    """Nobody waits for any request of the batch any more. Leaves the engine, never the queue."""


def ask(
    engine: Engine, batch: Sequence[Ticket], expire: Callable[[Ticket], None]
) -> Sequence[EngineResult] | AgenticDSLError:
    """One answer for each ticket, or the error that all of them get; raises nothing that the engine raises.

    Args:
        engine: what answers.
        batch: the tickets, row by row.
        expire: answers a ticket whose time is over.
    """
    try:
        answers = engine.generate([ticket.request for ticket in batch], on_token=_hook(batch, expire))
        if len(answers) != len(batch):
            return EngineError(f"the engine gave {len(answers)} answers to {len(batch)} requests")
        return answers
    except _Abandoned:
        return EngineError("nobody waited for the batch")  # and nobody will read this
    except AgenticDSLError as exc:
        return exc
    # The boundary to an engine, which may be anybody's: whatever it raises must not end the worker.
    except BaseException as exc:
        _log.exception("%s failed in a batch of %d", engine.name, len(batch))
        error = EngineError(f"the engine failed: {str(exc)[:200] or type(exc).__name__}", help="see the log")
        error.__cause__ = exc
        return error


def _hook(batch: Sequence[Ticket], expire: Callable[[Ticket], None]) -> OnToken:
    """What the engine calls: the hook of each request by its row in its own call, and the end of lost batches."""

    def on_token(row: int, tokens: int, text: str) -> None:
        ticket = batch[row]
        if not ticket.future.done():
            if ticket.is_late(time.monotonic()):
                expire(ticket)
            elif ticket.on_token is not None:
                try:
                    ticket.on_token(ticket.row, tokens, text)
                # Whatever it is, it belongs to the caller whose hook it is, and to no other request.
                except BaseException as exc:
                    ticket.settle(exc)
        if ticket.future.done() and all(other.future.done() for other in batch):
            raise _Abandoned

    return on_token
