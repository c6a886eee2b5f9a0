"""`Patience`: one wait in vain is enough for a while."""

from __future__ import annotations

from agentic_dsl.runtime.subgraph_cache.patience import Patience


def test_after_a_wait_in_vain_nobody_waits_for_a_while() -> None:
    now = [100.0]
    patience = Patience(2.0, clock=lambda: now[0])
    assert patience.seconds == 2.0
    patience.waited_in_vain()
    assert patience.seconds == 0.0
    now[0] += 19.9
    assert patience.seconds == 0.0
    patience.waited_in_vain()  # nobody waited: the rest does not begin again
    now[0] += 0.2
    assert patience.seconds == 2.0


def test_a_write_that_went_through_ends_the_rest() -> None:
    patience = Patience(2.0, clock=lambda: 100.0)
    patience.waited_in_vain()
    patience.wrote()
    assert patience.seconds == 2.0
