"""Documents in a few words, and the changes between two of them."""

from __future__ import annotations

from agentic_dsl import parse
from agentic_dsl.compiler.compatibility.change import Comparison
from agentic_dsl.compiler.compatibility.compare import compare
from agentic_dsl.compiler.library import Library


def block(*lines: str, path: str = "/lib/a/b") -> str:
    """One block with these lines as its body."""
    body = "\n".join(lines)
    return f"### AgenticDSL `{path}`\n```yaml\n{body}\n```\n"


def contract(signature: str, *lines: str, path: str = "/lib/a/b") -> str:
    """A block that is a signature, with other lines after it."""
    return block(f'signature: "{signature}"', *lines, path=path)


def nodes(*rows: str, head: tuple[str, ...] = (), path: str = "/lib/a/b") -> str:
    """A block of nodes with the signature ``() -> ()``."""
    return block("graph_type: subgraph", 'signature: "() -> ()"', *head, "nodes:", *rows, path=path)


def library(*texts: str) -> Library:
    """Each text as a document that can be read."""
    documents = [parse(text, path=f"{number}.md") for number, text in enumerate(texts)]
    for document in documents:
        assert not document.has_errors, document.diagnostics
    return Library.of(documents)


def compared(old: str, new: str) -> Comparison:
    """What changed from one text to another."""
    return compare(library(old), library(new))


def found(old: str, new: str) -> list[str]:
    """The names of the changes, worst first."""
    return [change.kind.code.name for change in compared(old, new).changes]
