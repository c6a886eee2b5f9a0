"""How the laws are run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def law(examples: int) -> settings:
    """Settings of a law: no deadline, because the machine is shared, and no complaint about large trees."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
