"""Which arguments of a tool may be given together, where its schema says so (``minProperties``, ``oneOf``, ``if``).

The values of an argument fall into *classes* whose members the schema cannot tell apart here, so that a few calls stand
for all. A call of representatives is judged by the very function that checks finished text; from that follows after
which arguments the list of them may end, and which may still come. Most arguments have two classes: a literal, and a
template, which makes the check withhold its judgement. An argument whose value the schema looks at (*told apart*) has a
class for each enumerated value, and one for each kind of which the schema says nothing but types and constants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from agentic_dsl.compiler.checks.schemas import CompiledSchema, is_template
from agentic_dsl.compiler.grammar.argument_values import Allowed
from agentic_dsl.compiler.grammar.number_ranges import number_end

if TYPE_CHECKING:
    from agentic_dsl.compiler.grammar.tool_arguments import Argument

ValueClass = int | str
"""The position of an enumerated value, or one of `PLAIN`, `TEMPLATE`, `NUMBER`, `TEXT`, `LIST`."""

PLAIN, TEMPLATE, NUMBER, TEXT, LIST = "plain", "template", "number", "text", "list"

_TEXT_WORDS = frozenset({"pattern", "minLength", "maxLength"})
_NUMBER_WORDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_LIST_WORDS = frozenset({"items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems", "unevaluatedItems"})
_COUNTING = frozenset({"minProperties", "maxProperties"})
_OF_VALUES = frozenset({"patternProperties", "additionalProperties", "unevaluatedProperties", "$dynamicRef"})
"""Keywords through which the value of any argument may matter; through ``propertyNames`` it matters which there are."""

_MOST_STATES = 2_048
_MOST_CALLS = 64
"""Combinations of arguments that are told apart for one tool, and calls that stand for one of them."""


@dataclass(frozen=True)
class ToldApart:
    """What the keywords of a whole schema look at.

    Attributes:
        words: the keywords and names anywhere in them.
        constants: the scalars that they compare with.
        names: arguments whose values they look at; None where that may be any.
    """

    words: frozenset[str] = frozenset()
    constants: tuple[Any, ...] = ()
    names: frozenset[str] | None = frozenset()

    @classmethod
    def by(cls, whole: Mapping[str, Any], root: Mapping[str, Any]) -> ToldApart:
        """What some keywords of a schema look at."""
        words: set[str] = set()
        constants: list[Any] = []
        parts: list[Any] = [whole]
        # A reference may lead to any part of the schema.
        if any("$ref" in part or "$dynamicRef" in part for part in _mappings(whole)):
            parts.append(root)
        names: set[str] | None = set()
        for part in parts:
            words.update(text for text in _strings(part))
            for mapping in _mappings(part):
                values = mapping.get("enum", ())
                constants += values if isinstance(values, list | tuple) else ()
                constants += [mapping["const"]] if "const" in mapping else []
                below = mapping.get("properties")
                if isinstance(below, Mapping) and names is not None:
                    names.update(below)
        if words & _OF_VALUES or any(isinstance(value, Mapping) for value in constants):
            names = None
        return cls(frozenset(words), tuple(constants), None if names is None else frozenset(names))

    def is_sensitive(self, name: str) -> bool:
        """Whether the value of an argument may matter."""
        return self.names is None or name in self.names

    def is_relevant(self, name: str) -> bool:
        """Whether it may matter that an argument is given, beyond their number."""
        return self.is_sensitive(name) or name in self.words or "propertyNames" in self.words


def _mappings(part: Any) -> Iterator[Mapping[str, Any]]:
    stack = [part]
    while stack:
        at = stack.pop()
        if isinstance(at, Mapping):
            yield at
            stack.extend(at.values())
        elif isinstance(at, list | tuple):
            stack.extend(at)


def _strings(part: Any) -> Iterator[str]:
    """Every key and text."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, Mapping):
        for key, value in part.items():
            yield str(key)
            yield from _strings(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _strings(value)


class Given(NamedTuple):
    """The arguments so far, as far as they matter.

    Attributes:
        told: those that may matter, with the class of their values.
        others: how many others there are, where they are counted; else 1 where there is one.
        templated: whether one of the others is a template.
    """

    told: tuple[tuple[int, ValueClass], ...] = ()
    others: int = 0
    templated: bool = False


class CallRules:
    """The calls of one tool that are valid whatever members of their classes the values are.

    Attributes:
        never: optional arguments that are not given, as there would be too many combinations to judge.
    """

    def __init__(
        self, compiled: CompiledSchema, arguments: Sequence[Argument], told: ToldApart, *, templates: bool
    ) -> None:
        self._compiled, self._arguments, self._told, self._templates = compiled, arguments, told, templates
        self._counts = bool(told.words & _COUNTING)
        self._relevant = [told.is_relevant(argument.name) for argument in arguments]
        self._classes = [self._representatives(argument) for argument in arguments]
        self._known: dict[tuple[int, Given], bool] = {}
        self._verdicts: dict[Given, bool] = {}
        self.never = self._narrow()

    @cached_property
    def is_satisfiable(self) -> bool:
        """Whether some call is valid."""
        return self.is_open(0, Given())

    # --- what the matcher asks ---------------------------------------------------------------------------------------

    def may_end(self, at: int, given: Given) -> bool:
        """Whether the arguments may end after those given, before the one at a position."""
        return not any(argument.required for argument in self._arguments[at:]) and self._is_valid(given)

    def next_ones(self, at: int, given: Given) -> Iterator[tuple[int, tuple[ValueClass, ...]]]:
        """The arguments from a position on that may come next, with the classes that their values may be of."""
        for position in range(at, len(self._arguments)):
            classes = tuple(one for one in self._classes[position] if self._leads_on(position, given, one))
            if classes:
                yield position, classes
            if self._arguments[position].required:
                return

    def plus(self, given: Given, position: int, value: ValueClass) -> Given:
        """With one more argument."""
        if self._relevant[position]:
            return given._replace(told=(*given.told, (position, value)))
        others = given.others + 1 if self._counts else 1
        return given._replace(others=others, templated=given.templated or value == TEMPLATE)

    def is_open(self, at: int, given: Given) -> bool:
        """Whether a valid call goes on from here."""
        key = at, given
        if (known := self._known.get(key)) is None:
            known = self.may_end(at, given) or any(True for _ in self.next_ones(at, given))
            self._known[key] = known
        return known

    def _leads_on(self, position: int, given: Given, value: ValueClass) -> bool:
        return self.is_open(position + 1, self.plus(given, position, value))

    # --- judging -----------------------------------------------------------------------------------------------------

    def _is_valid(self, given: Given) -> bool:
        if (known := self._verdicts.get(given)) is None:
            known = self._verdicts[given] = self._judged(given)
        return known

    def _judged(self, given: Given) -> bool:
        fixed = self._others(given)
        names = [self._arguments[position].name for position, _ in given.told]
        ways = [self._classes[position][value] for position, value in given.told]
        count = 1
        for way in ways:
            count *= len(way)
        if count > _MOST_CALLS:
            return False
        return all(
            next(self._compiled.findings(fixed | dict(zip(names, values, strict=True))), None) is None
            for values in product(*ways)
        )

    def _others(self, given: Given) -> dict[str, Any]:
        """A call with as many of the arguments that do not matter themselves."""
        # One template withholds as much of the judgement as several do.
        wanted = TEMPLATE if given.templated else PLAIN
        free = [at for at, relevant in enumerate(self._relevant) if not relevant]
        usable = [at for at in free if wanted in self._classes[at] or given.templated]
        chosen = sorted(usable, key=lambda at: wanted not in self._classes[at])[: given.others]
        return {self._arguments[at].name: self._classes[at].get(wanted, _NO_VALUE)[0] for at in chosen}

    def _representatives(self, argument: Argument) -> dict[ValueClass, tuple[Any, ...]]:
        """The classes of an argument's values, the one of the policy first, with values that stand for each."""
        found: dict[ValueClass, tuple[Any, ...]] = {}
        if not argument.told_apart:
            witness = [*argument.literals[:1], *_witnesses(argument.allowed)]
            if witness:
                found[PLAIN] = (witness[0],)
            if self._templates:
                found[TEMPLATE] = (_TEMPLATE,)
            return found
        found |= {at: (value,) for at, value in enumerate(argument.literals)}
        allowed, words, constants = argument.allowed, self._told.words, self._told.constants
        if allowed.numbers and not words & _NUMBER_WORDS:
            found[NUMBER] = (*_number_witnesses(allowed), *(v for v in constants if _is_number(v) and allowed.holds(v)))
        if allowed.texts and not words & _TEXT_WORDS:
            text = _text_witness(allowed, constants)
            found[TEXT] = (*text, *(v for v in constants if isinstance(v, str) and allowed.holds(v)))
        if allowed.lists and not words & _LIST_WORDS and not any(isinstance(v, list | tuple) for v in constants):
            found[LIST] = tuple(_witnesses(Allowed(lists=allowed.lists)))
        alike = not words & _TEXT_WORDS and not any(map(is_template, constants))
        if self._templates and alike:
            found[TEMPLATE] = (_TEMPLATE,)
        return {value: stands for value, stands in found.items() if stands}

    def _narrow(self) -> tuple[str, ...]:
        """Leaves arguments out until the combinations can be judged; gives their names."""
        never: list[str] = []
        for at in reversed(range(len(self._arguments))):
            if self._size() <= _MOST_STATES:
                break
            if self._relevant[at] and not self._arguments[at].required:
                self._classes[at] = {}
                never.append(self._arguments[at].name)
        if self._size() > _MOST_STATES:
            for at, classes in enumerate(self._classes):
                if self._relevant[at]:
                    last = TEMPLATE if TEMPLATE in classes else next(iter(classes), None)
                    self._classes[at] = {last: classes[last]} if last is not None else {}
        return tuple(reversed(never))

    def _size(self) -> int:
        size = 2 * (1 + (self._relevant.count(False) if self._counts else 1))
        for argument, relevant, classes in zip(self._arguments, self._relevant, self._classes, strict=True):
            if relevant:
                size *= len(classes) + (not argument.required)
        return size


_TEMPLATE = "{{ now }}"
_NO_VALUE = (None,)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _witnesses(allowed: Allowed) -> Iterator[Any]:
    """One value or more of a set that is not empty."""
    yield from allowed.words[:1]
    yield from _number_witnesses(allowed)
    yield from _text_witness(allowed, ())
    for one in allowed.lists:
        if one.unique:
            items = [*one.items.words]
            items = items or [value for value, _ in zip(_witnesses(one.items), range(1), strict=False)]
        else:
            items = [value for value, _ in zip(_witnesses(one.items), range(1), strict=False)] * one.low
        if len(items) >= one.low:
            yield items[: one.low]
        else:
            yield [_TEMPLATE] * one.low


def _number_witnesses(allowed: Allowed) -> Iterator[int | float]:
    """An integer, and a number that is none, where there are some."""
    for begun in ("", "0.", "1."):
        if (end := number_end(begun, allowed.numbers)) is not None:
            text = begun + end
            yield float(text) if "." in text else int(text)


def _text_witness(allowed: Allowed, constants: Sequence[Any]) -> tuple[str, ...]:
    """A text that is none of some constants, where there is one."""
    for low, high in allowed.texts:
        for size in range(low, low + 3 if high is None else min(high, low + 2) + 1):
            for letter in "aqzx":
                if letter * size not in constants:
                    return (letter * size,)
    return ()


__all__ = ["LIST", "NUMBER", "PLAIN", "TEMPLATE", "TEXT", "CallRules", "Given", "ToldApart", "ValueClass"]
