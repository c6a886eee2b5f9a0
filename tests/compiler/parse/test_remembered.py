"""The memory of the readers of small texts."""

from __future__ import annotations

from agentic_dsl.compiler.parse.remembered import MAX_LENGTH, remembered


def counted(entries):
    calls = []

    @remembered(entries)
    def read(text):
        """What it reads."""
        calls.append(text)
        return len(text)

    return read, calls


def test_an_answer_is_given_again_without_reading():
    read, calls = counted(2)
    assert [read("a"), read("a"), read("bb")] == [1, 1, 2]
    assert calls == ["a", "bb"]


def test_the_least_recently_used_answer_goes_first():
    read, calls = counted(2)
    for text in ("a", "b", "a", "c", "a", "b"):
        read(text)
    assert calls == ["a", "b", "c", "b"]


def test_long_texts_are_read_and_not_kept():
    read, calls = counted(2)
    long = "x" * (MAX_LENGTH + 1)
    assert read(long) == read(long) == MAX_LENGTH + 1
    assert calls == [long, long]


def test_the_reader_keeps_its_name_and_words():
    read, _ = counted(1)
    assert (read.__name__, read.__doc__) == ("read", "What it reads.")
