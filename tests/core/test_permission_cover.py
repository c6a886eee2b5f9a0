"""Which permission covers which."""

import pytest

from agentic_dsl.permission import Permission


@pytest.mark.parametrize(
    ("held", "asked", "covered"),
    [
        (Permission("network"), Permission("network", "outbound"), True),
        (Permission("network"), Permission("file"), False),
        (Permission("network", "outbound"), Permission("network"), False),
        (Permission("tool", "a"), Permission("tool", "b"), False),
        (Permission("tool", "a"), Permission("tool", "a", {"scope": "read_only"}), True),
        (Permission("tool", "a", {"scope": "read_only"}), Permission("tool", "a"), False),
        (Permission("tool", "a", {"scope": "x"}), Permission("tool", "a", {"scope": "y"}), False),
        (Permission("generate_subgraph", None, {"max_depth": 2}), Permission("generate_subgraph"), False),
        (
            Permission("generate_subgraph", None, {"max_depth": 2}),
            Permission("generate_subgraph", None, {"max_depth": 1}),
            True,
        ),
        (
            Permission("generate_subgraph", None, {"max_depth": 2}),
            Permission("generate_subgraph", None, {"max_depth": 3}),
            False,
        ),
        (
            Permission("generate_subgraph", None, {"max_depth": 2}),
            Permission("generate_subgraph", None, {"max_depth": -1}),
            False,
        ),
        (
            Permission("generate_subgraph", None, {"max_depth": -1}),
            Permission("generate_subgraph", None, {"max_depth": 9}),
            True,
        ),
        (
            Permission("runtime", "python3", {"allow_imports": ("json", "re")}),
            Permission("runtime", "python3", {"allow_imports": ("re",)}),
            True,
        ),
        (
            Permission("runtime", "python3", {"allow_imports": ("json",)}),
            Permission("runtime", "python3", {"allow_imports": ("os",)}),
            False,
        ),
        (Permission("file", None, {"strict": True}), Permission("file", None, {"strict": False}), False),
        (Permission("file", None, {"note": None}), Permission("file"), True),
    ],
)
def test_a_permission_covers_what_is_no_wider_than_itself(held: Permission, asked: Permission, covered: bool) -> None:
    assert held.covers(asked) is covered


@pytest.mark.parametrize(
    "permission",
    [
        Permission("network"),
        Permission("tool", "a", {"scope": "x", "rate": 3, "names": ("a",), "free": None}),
        Permission("generate_subgraph", None, {"max_depth": 0}),
    ],
)
def test_a_permission_covers_itself(permission: Permission) -> None:
    assert permission.covers(permission)
