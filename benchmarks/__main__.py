"""Every benchmark, one after the other: ``python -m benchmarks [NAME…]``. Each also runs by itself."""

from __future__ import annotations

import subprocess
import sys

ALL = (
    "bench_check",
    "bench_masks",
    "bench_llguidance",
    "bench_overlay",
    "bench_jump_forward",
    "bench_subgraph_cache",
    "bench_batches",
    "bench_lint",
    "lint_mutations",
    "bench_language_server",
    "bench_radix_tree",
    "bench_prefix_policy",
    "bench_skills",
    "skill_detection",
    "nestful",
    "worfbench",
    "token_by_token",
)


def main(names: list[str]) -> int:
    """Runs the named benchmarks, or all, each in a process of its own; 1 where one fails, 2 where one is unknown."""
    if unknown := [name for name in names if name not in ALL]:
        print(f"there is no benchmark {unknown[0]}; there are: {', '.join(ALL)}", file=sys.stderr)
        return 2
    failed = 0
    for name in names or ALL:
        print(f"\n== {name}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
