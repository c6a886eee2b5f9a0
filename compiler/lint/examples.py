"""The examples of rules, built from their parts: a rule shows what matters, the frame around it stands here once."""

from __future__ import annotations

from textwrap import dedent, indent


def block(path: str, body: str) -> str:
    """A block with any body."""
    return f"### AgenticDSL `{path}`\n```yaml\n{dedent(body).strip()}\n```\n"


def subgraph(nodes: str, path: str = "/main/p", keys: str = "") -> str:
    """A subgraph block: its nodes as YAML list items, and further keys of the block."""
    head = f"graph_type: subgraph\n{dedent(keys).strip()}".strip()
    return block(path, f"{head}\nnodes:\n{indent(dedent(nodes).strip(chr(10)), '  ')}")


def library(nodes: str, signature: str, path: str = "/lib/utils/p", keys: str = "") -> str:
    """A library file with one subgraph that is described and has a version."""
    head = f'signature: "{signature}"\nversion: "1.0"\n{dedent(keys).strip()}'
    return f"Does one thing well.\n\n{subgraph(nodes, path, head)}"


def contract(signature: str, path: str = "/lib/utils/c", keys: str = 'version: "1.0"') -> str:
    """A library file with one contract that the executor implements."""
    body = f'signature: "{signature}"\n{dedent(keys).strip()}'
    return f"Does one thing well.\n\n{block(path, body)}"


def application(nodes: str, meta: str = "", resources: str | None = None, keys: str = "") -> str:
    """An application of one subgraph, ``/main/p``."""
    text = block("/__meta__", f'version: "3.10"\nentry_point: /main/p\n{dedent(meta).strip()}') + "\n"
    if resources is not None:
        listed = indent(dedent(resources).strip("\n"), "  ")
        text += block("/__meta__/resources", f"type: resource_declare\nresources:\n{listed}") + "\n"
    return text + subgraph(nodes, keys=keys)
