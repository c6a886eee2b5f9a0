"""`renewed_in_forks`: what threads share starts anew in a forked child, where no other thread is left to let go of it.

Only the thread that forks lives on in the child. Locks that others held stay locked there, and work that others did
never ends, so whoever keeps locks or waits for threads says here how it starts anew.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Renewable(Protocol):
    """What has to start anew in a forked child."""

    def start_anew(self) -> None:
        """Makes locks anew and forgets the work of other threads. Called in the child, which has one thread."""
        ...


# One registration for the process: Python never takes one back. What is in the set lives as long as its owners want.
_renewables: weakref.WeakSet[Renewable] = weakref.WeakSet()


def renewed_in_forks(thing: Renewable) -> None:
    """From now on, the thing starts anew in each child that this process forks."""
    _renewables.add(thing)


def _start_all_anew() -> None:
    for thing in list(_renewables):
        thing.start_anew()


if hasattr(os, "register_at_fork"):  # where there are no forks, there is nothing to do
    os.register_at_fork(after_in_child=_start_all_anew)
