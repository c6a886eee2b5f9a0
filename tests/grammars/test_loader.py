from __future__ import annotations

import pytest

from agentic_dsl.grammars.loader import grammar_text


def test_a_grammar_is_loaded_once() -> None:
    assert "start:" in grammar_text("document")
    assert grammar_text("document") is grammar_text("document")


def test_an_unknown_grammar_is_a_missing_file() -> None:
    with pytest.raises(FileNotFoundError):
        grammar_text("no_such_grammar")
