"""The texts of the Lark grammars; nothing else reads the ``.lark`` files."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def grammar_text(name: str) -> str:
    """The text of one grammar of the front end.

    Read through the import system, so it works from a checkout, an installed wheel and a zip file alike.

    Args:
        name: the file's name without ``.lark``, such as ``"document"``.

    Raises:
        FileNotFoundError: no grammar has that name.
    """
    return (files("agentic_dsl.grammars") / f"{name}.lark").read_text(encoding="utf-8")
