"""Python's cycle collector, kept away while a large document is worked on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE_LENGTH = 64 * 1024
"""Characters of a document from which on it is worth it."""


@contextmanager
def collector_paused(length: int) -> Iterator[None]:
    """Keeps the cycle collector away while a document is read or checked.

    What is built then holds no cycles, and each of the collector's passes would walk all that has been built so far:
    half of the time of a document of 5,000 nodes. Whatever happens it is switched on again, if it was on.

    Args:
        length: of the document, in characters; nothing is done for a short one.
    """
    if length < PAUSE_LENGTH or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
