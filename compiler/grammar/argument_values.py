"""The literal values that a schema surely allows, in a form that can be written character by character.

`Allowed` is closed under union and intersection. What a schema says in another way (``pattern``, ``not``, ``if``, …)
takes the kinds of value that it is about out of the set, so that the set never holds a value that the check refuses;
`Allowed.exact` tells whether anything was lost. Enumerated values are no part of it: they are held to the schema one
by one (see `listed_values`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agentic_dsl.compiler.grammar.number_ranges import NumberRange, allows, exactly
from agentic_dsl.compiler.grammar.printing import print_value
from agentic_dsl.compiler.grammar.value_rules import SCALAR_KINDS, is_writable, kind_of

NOTES = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"})
"""Keywords that say nothing about a value; nor do those that the check does not know, and ``format``."""

_ABOUT_OBJECTS = frozenset(
    {"properties", "required", "additionalProperties", "minProperties", "maxProperties", "patternProperties"}
) | {"propertyNames", "dependentRequired", "dependentSchemas", "unevaluatedProperties"}
_ABOUT_NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_ABOUT_TEXTS = frozenset({"minLength", "maxLength", "pattern"})
_ABOUT_LISTS = frozenset({"minItems", "maxItems", "uniqueItems", "items", "prefixItems", "contains"}) | {
    *("minContains", "maxContains", "unevaluatedItems"),
}
_COMBINED = frozenset({"type", "enum", "const", "$ref", "allOf", "anyOf", "oneOf"})
_OPAQUE = frozenset({"not", "if", "$dynamicRef"})
"""Keywords that leave nothing that is sure."""

JUDGED = _ABOUT_OBJECTS | _ABOUT_NUMBERS | _ABOUT_TEXTS | _ABOUT_LISTS | _COMBINED | _OPAQUE
"""Every keyword by which the check can refuse a value; ``then`` and ``else`` belong to ``if``."""

_DEEPEST = 12
_MOST_WAYS = 12

TextRange = tuple[int, int | None]
"""The fewest characters of a text, and the most; None where any number is allowed."""


@dataclass(frozen=True, slots=True)
class ListRange:
    """Lists of scalars.

    Attributes:
        items: what each item may be; one whole template may always stand for it.
        low: the fewest items.
        high: the most, None where any number is allowed.
        unique: whether no item may stand twice; then several items are all enumerated ones, or templates.
    """

    items: Allowed
    low: int = 0
    high: int | None = None
    unique: bool = False

    def holds(self, values: list[Any]) -> bool:
        """Whether a list is one of them."""
        if len(values) < self.low or (self.high is not None and len(values) > self.high):
            return False
        if self.unique and len(values) > 1:
            words = all(any(same_value(item, word) for word in self.items.words) for item in values)
            return words and not any(same_value(a, b) for at, a in enumerate(values) for b in values[:at])
        return all(self.items.holds(item) for item in values)


@dataclass(frozen=True, slots=True)
class Allowed:
    """A set of values that can be written on a line.

    Attributes:
        words: those of null, false and true that are in it, and for items of lists the enumerated values.
        numbers: ranges of numbers.
        texts: ranges of lengths.
        lists: sorts of lists.
        exact: whether every scalar or list of scalars that is allowed is in the set, enumerated values aside.
    """

    words: tuple[Any, ...] = ()
    numbers: tuple[NumberRange, ...] = ()
    texts: tuple[TextRange, ...] = ()
    lists: tuple[ListRange, ...] = ()
    exact: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether no value is in it."""
        return not (self.words or self.numbers or self.texts or self.lists)

    @property
    def kinds(self) -> frozenset[str]:
        """The JSON types of its values."""
        numbers = {"integer" if one.whole else "number" for one in self.numbers}
        found = {kind_of(word) for word in self.words} | numbers
        found |= {"string"} if self.texts else set()
        return frozenset(found | ({"array"} if self.lists else set()))

    def holds(self, value: Any) -> bool:
        """Whether a value is in the set and has the generated layout."""
        if any(same_value(value, word) for word in self.words):
            return True
        match kind_of(value):
            case "integer" | "number":
                return allows(print_value(value), self.numbers)
            case "string":
                size = len(value)
                return is_writable(value) and any(low <= size <= (size if h is None else h) for low, h in self.texts)
            case "array":
                return any(one.holds(list(value)) for one in self.lists)
            case _:
                return False

    def __or__(self, other: Allowed) -> Allowed:
        return _few(
            Allowed(
                words=_distinct((*self.words, *other.words)),
                numbers=tuple(dict.fromkeys((*self.numbers, *other.numbers))),
                texts=tuple(dict.fromkeys((*self.texts, *other.texts))),
                lists=tuple(dict.fromkeys((*self.lists, *other.lists))),
                exact=self.exact and other.exact,
            )
        )

    def __and__(self, other: Allowed) -> Allowed:
        words = [word for word in self.words if other.holds(word)] + [w for w in other.words if self.holds(w)]
        return _few(
            Allowed(
                words=_distinct(words),
                numbers=tuple(dict.fromkeys(a & b for a in self.numbers for b in other.numbers)),
                texts=tuple(dict.fromkeys(_both(a, b) for a in self.texts for b in other.texts)),
                lists=tuple(dict.fromkeys(_both_lists(a, b) for a in self.lists for b in other.lists)),
                exact=self.exact and other.exact,
            )
        )

    def within(self, room: int, *, templates: bool) -> Allowed:
        """What can be written with texts of at most ``room`` characters; ``templates`` where one fits into them."""
        texts = tuple((low, room if h is None else min(h, room)) for low, h in self.texts)
        lists = tuple(replace(one, items=one.items.within(room, templates=templates)) for one in self.lists)
        return replace(
            self,
            words=tuple(word for word in self.words if not isinstance(word, str) or len(word) <= room),
            numbers=tuple(one for one in self.numbers if one.is_free or not one.is_empty),
            texts=tuple((low, high) for low, high in texts if low <= high),
            lists=tuple(one for one in lists if _can_be_written(one, templates)),
        )


ANY_SCALAR = Allowed((None, False, True), (NumberRange(),), ((0, None),))
ANY = replace(ANY_SCALAR, lists=(ListRange(ANY_SCALAR),))
NOTHING = Allowed()
UNSURE = Allowed(exact=False)


def _few(allowed: Allowed) -> Allowed:
    """Without those kinds of which there are more ranges than is sensible to follow."""
    if max(len(allowed.numbers), len(allowed.texts), len(allowed.lists)) <= _MOST_WAYS:
        return allowed
    return replace(allowed, numbers=(), texts=(), lists=(), exact=False)


def _both(left: TextRange, right: TextRange) -> TextRange:
    highs = [high for _, high in (left, right) if high is not None]
    return max(left[0], right[0]), min(highs, default=None)


def _both_lists(left: ListRange, right: ListRange) -> ListRange:
    highs = [one.high for one in (left, right) if one.high is not None]
    unique = left.unique or right.unique
    return ListRange(left.items & right.items, max(left.low, right.low), min(highs, default=None), unique)


def _can_be_written(one: ListRange, templates: bool) -> bool:
    if one.high is not None and one.high < one.low:
        return False
    if one.low == 0 or templates:
        return True
    items = one.items
    if one.unique:  # several items are words, and a single one may be anything
        return one.low <= len(items.words) or (one.low == 1 and not items.is_empty)
    return not items.is_empty


def same_value(left: Any, right: Any) -> bool:
    """Equality of JSON values, for which true is no number."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same_value, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _distinct(values: Any) -> tuple[Any, ...]:
    kept: list[Any] = []
    for value in values:
        if not any(same_value(value, known) for known in kept):
            kept.append(value)
    return tuple(kept)


# --- reading schemas -------------------------------------------------------------------------------------------------


def allowed_values(schema: Any, root: Mapping[str, Any], *, item: bool = False, depth: int = 0) -> Allowed:
    """The values that a schema surely allows.

    Args:
        schema: of a parameter, or a part of one.
        root: the schema that ``$ref`` is resolved in.
        item: whether it is of the items of lists, which are scalars; their enumerated values are in the set.
        depth: how deep in the parameter's schema the part stands.
    """
    if schema is True or schema == {}:
        return ANY_SCALAR if item else ANY
    if schema is False:
        return NOTHING
    if not isinstance(schema, Mapping) or depth > _DEEPEST or ("$id" in schema and depth > 0):
        return UNSURE
    said = schema.keys() & JUDGED
    if not item and said & {"enum", "const"}:
        return NOTHING  # its values are held to the schema one by one
    if said & _OPAQUE - {"if"} or ("if" in said and schema.keys() & {"then", "else"}):
        return UNSURE
    allowed = _typed(schema.get("type", (*SCALAR_KINDS, "array")), item=item)
    allowed = _bounded(allowed, schema, said, root, depth)
    if "enum" in said or "const" in said:
        allowed &= _enumerated(schema)
    for part in _conjuncts(schema, root):
        allowed &= allowed_values(part, root, item=item, depth=depth + 1)
    for word in ("anyOf", "oneOf"):
        if word in said:
            allowed &= _united(schema[word], root, item, depth, apart=word == "oneOf")
    return allowed


def _typed(kinds: Any, *, item: bool) -> Allowed:
    names = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    words = (*((None,) if "null" in names else ()), *((False, True) if "boolean" in names else ()))
    whole = "number" not in names
    return Allowed(
        words=words,
        numbers=(NumberRange(whole=whole),) if not whole or "integer" in names else (),
        texts=((0, None),) if "string" in names else (),
        lists=(ListRange(ANY_SCALAR),) if "array" in names and not item else (),
    )


def _enumerated(schema: Mapping[str, Any]) -> Allowed:
    values = [*schema.get("enum", ()), *((schema["const"],) if "const" in schema else ())]
    if "enum" in schema and "const" in schema:
        values = [value for value in schema["enum"] if same_value(value, schema["const"])]
    scalars = [value for value in values if is_writable(value) and not isinstance(value, list | tuple)]
    return Allowed(words=_distinct(scalars))


def _bounded(allowed: Allowed, schema: Mapping[str, Any], said: Any, root: Mapping[str, Any], depth: int) -> Allowed:
    """With what a schema says of numbers, texts and lists."""
    if allowed.numbers and said & _ABOUT_NUMBERS:
        within = _number_range(schema)
        allowed = replace(
            allowed,
            numbers=tuple(one & within for one in allowed.numbers) if within else (),
            exact=allowed.exact and within is not None,
        )
    if allowed.texts and said & _ABOUT_TEXTS:
        sure = "pattern" not in said
        low, high = int(schema.get("minLength", 0)), schema.get("maxLength")
        texts = ((low, None if high is None else int(high)),) if sure else ()
        allowed = replace(allowed, texts=texts, exact=allowed.exact and sure)
    if allowed.lists and said & _ABOUT_LISTS:
        sure = not said & {"prefixItems", "contains", "unevaluatedItems"}
        items = allowed_values(schema.get("items", True), root, item=True, depth=depth + 1)
        high, unique = schema.get("maxItems"), schema.get("uniqueItems", False)
        one = ListRange(items, int(schema.get("minItems", 0)), None if high is None else int(high), unique is True)
        free = unique is True and (items.numbers or items.texts) and one.high != 1
        exact = allowed.exact and sure and items.exact and not free
        allowed = replace(allowed, lists=(one,) if sure else (), exact=exact)
    return allowed


def _number_range(schema: Mapping[str, Any]) -> NumberRange | None:
    """The bounds of a schema, None where one is not finite."""
    within = NumberRange()
    try:
        if "minimum" in schema:
            within &= NumberRange(low=exactly(schema["minimum"]))
        if "exclusiveMinimum" in schema:
            within &= NumberRange(low=exactly(schema["exclusiveMinimum"]), above=True)
        if "maximum" in schema:
            within &= NumberRange(high=exactly(schema["maximum"]))
        if "exclusiveMaximum" in schema:
            within &= NumberRange(high=exactly(schema["exclusiveMaximum"]), below=True)
        if "multipleOf" in schema:
            exactly(schema["multipleOf"])
            within &= NumberRange(steps=(schema["multipleOf"],))
    except ValueError:
        return None
    return within


def _conjuncts(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Any]:
    """The schemas that hold beside a schema's own keywords."""
    if "$ref" in schema:
        yield target_of(schema["$ref"], root)
    yield from schema.get("allOf", ())


def target_of(reference: Any, root: Mapping[str, Any]) -> Any:
    """What a reference within a schema names, None where that is not sure."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")) or "%" in reference:
        return None
    at: Any = root
    for step in reference[2:].split("/") if reference != "#" else ():
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(at, list | tuple) and name.isdigit() and int(name) < len(at):
            at = at[int(name)]
        elif isinstance(at, Mapping) and name in at:
            at = at[name]
        else:
            return None
        if isinstance(at, Mapping) and "$id" in at:
            return None  # references below it lead elsewhere
    return at


def _united(parts: Any, root: Mapping[str, Any], item: bool, depth: int, *, apart: bool) -> Allowed:
    """What one of some schemas allows; ``apart`` where it must be exactly one, so that they must differ in kind."""
    found = NOTHING
    for part in parts:
        found |= allowed_values(part, root, item=item, depth=depth + 1)
    sure = not apart or found == NOTHING or _differ_in_kind(parts, root)
    return found if sure else UNSURE


def _differ_in_kind(parts: Any, root: Mapping[str, Any]) -> bool:
    taken: set[str] = set()
    for part in parts:
        kinds = _kinds_at_most(part, root, 0)
        if kinds & taken:
            return False
        taken |= kinds
    return True


def _kinds_at_most(schema: Any, root: Mapping[str, Any], depth: int) -> frozenset[str]:
    """JSON types among which are those of all values of a schema; every number is one of the same type here."""
    every = frozenset({"null", "boolean", "number", "string", "array", "object"})
    if schema is False:
        return frozenset()
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return every
    found = every
    if "type" in schema:
        names = (schema["type"],) if isinstance(schema["type"], str) else tuple(schema["type"])
        found &= {"number" if name == "integer" else name for name in names}
    for word in ("const", "enum"):
        if word in schema:
            values = (schema[word],) if word == "const" else schema[word]
            found &= {"number" if (kind := kind_of(value)) == "integer" else kind for value in values}
    for part in _conjuncts(schema, root):
        found &= _kinds_at_most(part, root, depth + 1)
    return found


def listed_values(schema: Any, root: Mapping[str, Any], depth: int = 0) -> Iterator[Any]:
    """The values that a schema names anywhere: enumerations, constants, defaults, examples."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    yield from schema.get("enum", ())
    for word in ("const", "default"):
        if word in schema:
            yield schema[word]
    examples = schema.get("examples", ())
    yield from examples if isinstance(examples, list | tuple) else ()
    parts = [*_conjuncts(schema, root), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    parts += [schema[word] for word in ("not", "if", "then", "else") if word in schema]
    for part in parts:
        yield from listed_values(part, root, depth + 1)
