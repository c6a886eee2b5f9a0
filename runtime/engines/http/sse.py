"""Server-sent events: how servers stream answers."""

from __future__ import annotations

from collections.abc import AsyncIterator


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The data of each event, in order; comments, names and ids of events are left out.

    Args:
        chunks: bytes of the stream, cut anywhere. The caller bounds them.
    """
    data: list[str] = []
    async for line in _lines(chunks):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:  # some servers leave out the last blank line
        yield "\n".join(data)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest: list[bytes] = []
    async for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        for part in whole:
            yield b"".join((*rest, part)).removesuffix(b"\r").decode("utf-8", "replace")
            rest = []
        rest.append(last)
    if any(rest):
        yield b"".join(rest).removesuffix(b"\r").decode("utf-8", "replace")
