"""Arguments under the JSON Schemas of tools: what the matcher writes is exactly what the check lets pass."""

import itertools
import random

import numpy as np
import pytest

from agentic_dsl.compiler.checks.schemas import compile_schema
from agentic_dsl.compiler.grammar.schema import tool_parameters
from agentic_dsl.constraints import Constraints, ContextSignature, ToolSpec
from agentic_dsl.format_values import bare, inline
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher.frames import feed, finish
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
from agentic_dsl.runtime.matcher.tracker import SemanticTracker
from agentic_dsl.runtime.matcher.vocabulary_trie import VocabularyTrie
from agentic_dsl.runtime.tokenizer import load_tokenizer
from benchmarks.random_walks import judge
from benchmarks.tool_sets import BOUNDED, RULED

HEAD = (
    b"### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n"
    b"  - id: a\n    type: tool_call\n    tool: t\n"
)
LATER = b"    output_keys:"


def tracker(parameters, **fields):
    """Behind the name of a tool that is called."""
    begun = SemanticTracker(Constraints(tools=(ToolSpec(name="t", parameters=parameters),), **fields))
    assert begun.accept(HEAD)
    return begun


def is_valid(parameters, arguments):
    """Whether the check lets arguments pass."""
    compiled = compile_schema(parameters)
    return all(name in arguments for name in compiled.required) and not list(compiled.findings(arguments))


def numbers():
    for size in (1, 2, 3):
        for chars in itertools.product("-.0123456789", repeat=size):
            text = "".join(chars)
            try:
                value = float(text) if "." in text else int(text)
            except ValueError:
                continue
            if inline(value) == text:
                yield value


NUMBERS = [*numbers(), 100.5, 1000, 12345, 0.0001, 10.25]
TEXTS = ["".join(chars) for size in range(5) for chars in itertools.product("aé{", repeat=size) if "{{" not in chars]
TEXTS = [text for text in TEXTS if "{{" not in text] + ["now {{ now }}", "{{ now }}", "a" * 20, "{{ now }}" + "a" * 9]
LISTS = [list(items) for size in range(4) for items in itertools.product([1, 2, "a", "bb", None], repeat=size)]
LISTS += [["{{ now }}"], ["{{ now }}"] * 3, ["{{ now }}", 1]]
VALUES = [*NUMBERS, *TEXTS, *LISTS, None, True, False]


def is_generated(value, shape):
    """Whether a value, if it is valid, is written in the generated layout, which is that of the grammar.

    Integers have no point; a template is the whole text where no text may stand, and no list item where no list may.
    """
    if isinstance(value, float) and value.is_integer():
        return "number" in shape.kinds
    if isinstance(value, str) and "{{" in value:
        return value == "{{ now }}" or "string" in shape.kinds
    return "array" in shape.kinds or not (isinstance(value, list) and "{{ now }}" in value)


EXACT = {
    "an open integer": {"type": "integer"},
    "minimum": {"type": "integer", "minimum": 1},
    "two bounds": {"type": "integer", "minimum": -3, "maximum": 12},
    "bounds outside": {"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 105},
    "fractions between bounds": {"type": "number", "minimum": 0.5, "maximum": 2.25},
    "fractions outside bounds": {"type": "number", "exclusiveMinimum": -1, "exclusiveMaximum": 0.1},
    "a multiple": {"type": "integer", "multipleOf": 7},
    "half steps": {"type": "number", "multipleOf": 0.5, "minimum": 1},
    "steps that floats do not hit": {"type": "number", "multipleOf": 0.01},
    "only negative": {"type": "number", "maximum": -5},
    "one value": {"type": "integer", "minimum": 7, "maximum": 7},
    "a far one": {"type": "integer", "minimum": 990, "multipleOf": 100},
    "two ranges": {"anyOf": [{"type": "integer", "maximum": 3}, {"type": "integer", "minimum": 50}]},
    "all of two": {"allOf": [{"type": "number", "minimum": 3}, {"maximum": 9, "type": ["integer", "string"]}]},
    "short texts": {"type": "string", "maxLength": 3},
    "long texts": {"type": "string", "minLength": 2},
    "texts of one length": {"type": "string", "minLength": 3, "maxLength": 3},
    "no text": {"type": "string", "minLength": 3, "maxLength": 2},
    "texts of two lengths": {"anyOf": [{"type": "string", "maxLength": 1}, {"type": "string", "minLength": 4}]},
    "a text or null": {"type": ["string", "null"], "minLength": 1, "format": "date"},
    "one of two kinds": {"oneOf": [{"type": "string", "maxLength": 2}, {"type": "integer", "minimum": 5}]},
    "one of two constants": {"oneOf": [{"const": "a"}, {"const": 3}]},
    "a list with a bound": {"type": "array", "items": {"type": "integer", "minimum": 2}, "maxItems": 2},
    "a list that is not empty": {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1},
    "a list of two": {"type": "array", "items": {"type": "string", "maxLength": 1}, "minItems": 2, "maxItems": 2},
    "a list of different words": {"type": "array", "items": {"enum": ["a", 1, "bb"]}, "uniqueItems": True},
    "two sorts of lists": {
        "anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "array", "items": {"type": "string"}}]
    },
    "nothing said": {},
    "by reference": {"$ref": "#/$defs/few"},
    "nullable is no word of the check": {"type": "string", "nullable": True, "maxLength": 2},
    "an enumeration with a bound": {"enum": [1, 5, 9, "a"], "minimum": 4},
}


@pytest.mark.parametrize("name", EXACT)
def test_the_values_that_are_written_are_those_that_the_check_lets_pass(name):
    parameters = {
        "type": "object",
        "properties": {"p": EXACT[name]},
        "required": ["p"],
        "$defs": {"few": {"type": "integer", "minimum": 2, "maximum": 5}},
    }
    start = tracker(parameters, max_text_chars=30)
    assert start.accept(b"    arguments:\n      p: ")
    differing = []
    passing = 0
    [parameter] = tool_parameters(ToolSpec(name="t", parameters=parameters)).parameters
    for value in filter(lambda value: is_generated(value, parameter.shape), VALUES):
        shown = inline(tuple(value) if isinstance(value, list) else value)
        fine = is_valid(parameters, {"p": value})
        passing += fine
        if start.allows(f"{shown}\n".encode() + LATER) != fine:
            differing.append((value, fine))
    assert passing
    assert not differing


@pytest.mark.parametrize("name", EXACT)
def test_every_beginning_of_a_value_can_be_finished_as_the_policy_says(name):
    parameters = {"properties": {"p": EXACT[name]}, "required": ["p"], "$defs": {"few": {"maximum": 5, "minimum": 2}}}
    for room in (30, 9, 5):
        try:
            start = tracker(parameters, max_text_chars=room, allowed_node_types=("tool_call", "end"))
        except AssertionError:
            continue  # nothing fits into so short a text
        rng = random.Random(room)
        for _ in range(60):
            frame = feed(start.frame, b"    arguments:\n      p: ")
            for _ in range(rng.randint(0, 12)):
                allowed = frame.allowed()
                assert frozenset(allowed) <= (frame.hints() or frozenset(range(256)))
                byte = rng.choice(allowed)
                if byte == ord("\n"):
                    break
                rest = finish(frame)
                after = frame.step(byte)
                if rest[0] == byte:
                    assert finish(after) == rest[1:]  # prefix-consistent
                frame = after
            assert feed(frame, finish(frame)).is_final


SAMPLES = {"n": [1, 5, 40], "s": ["a", "on", "off"], "b": [True, False], "l": [[], ["a"]]}


def calls_of(properties, templates=True):
    """Calls with every subset of the arguments, with a few values of each."""
    for chosen in itertools.product(
        *([None, *SAMPLES[name], *(["{{ now }}"] if templates else [])] for name in properties)
    ):
        yield {name: value for name, value in zip(properties, chosen, strict=True) if value is not None}


PLAIN = {"n": {"type": "integer"}, "s": {"type": "string"}, "b": {"type": "boolean"}, "l": {"type": "array"}}
WORDS = {"n": {"type": "integer"}, "s": {"enum": ["a", "on", "off"]}, "b": {"type": "boolean"}}
WHOLE = {
    "at least two": (PLAIN, {"minProperties": 2}),
    "at most two": (PLAIN, {"maxProperties": 2}),
    "exactly one": (PLAIN, {"minProperties": 1, "maxProperties": 1}),
    "one needs another": (PLAIN, {"dependentRequired": {"n": ["s"], "s": ["b"]}}),
    "one or the other": (PLAIN, {"oneOf": [{"required": ["n"]}, {"required": ["s"]}]}),
    "some of two": (PLAIN, {"anyOf": [{"required": ["n"]}, {"required": ["s", "b"]}]}),
    "not both": (PLAIN, {"not": {"required": ["n", "b"]}}),
    "names": (PLAIN, {"propertyNames": {"pattern": "^[a-m]$"}}),
    "bounds in all of": (PLAIN, {"allOf": [{"properties": {"n": {"minimum": 3}}}]}),
    "bounds by name": (PLAIN, {"patternProperties": {"^n": {"maximum": 9}}}),
    "if a word, then another": (
        WORDS,
        {
            "if": {"properties": {"s": {"const": "on"}}, "required": ["s"]},
            "then": {"properties": {"b": {"const": True}}},
        },
    ),
    "a kind decides": (
        {**PLAIN, "s": {"type": ["string", "integer"]}},
        {"anyOf": [{"properties": {"s": {"type": "integer"}}}, {"required": ["n"]}]},
    ),
    "with a required one": (PLAIN, {"minProperties": 2, "required": ["b"]}),
    "dependent schemas": (PLAIN, {"dependentSchemas": {"n": {"minProperties": 2}}}),
}


@pytest.mark.parametrize("name", WHOLE)
def test_the_calls_that_are_written_are_those_that_the_check_lets_pass(name):
    properties, whole = WHOLE[name]
    parameters = {"type": "object", "properties": properties, **whole}
    start = tracker(parameters)
    verdicts = {True: 0, False: 0}
    differing = []
    for call in calls_of(properties):
        lines = "".join(
            f"      {bare(key)}: {inline(tuple(v) if isinstance(v, list) else v)}\n" for key, v in call.items()
        )
        text = (f"    arguments:\n{lines}" if lines else "").encode() + LATER
        fine = is_valid(parameters, call)
        verdicts[fine] += 1
        if start.allows(text) != fine:
            differing.append((call, fine))
    assert all(verdicts.values())
    assert not differing


NARROW = {
    "a word excludes": (PLAIN, {"not": {"properties": {"s": {"const": "on"}}, "required": ["s", "n"]}}),
    "a bound in a condition": (PLAIN, {"if": {"properties": {"n": {"minimum": 9}}}, "then": {"required": ["s"]}}),
    "a pattern in a choice": (PLAIN, {"oneOf": [{"properties": {"s": {"pattern": "^o"}}}, {"maxProperties": 2}]}),
    "a condition with an else": (
        PLAIN,
        {"if": {"properties": {"s": {"minLength": 2}}}, "then": {"maxProperties": 2}, "else": {"minProperties": 2}},
    ),
}


@pytest.mark.parametrize("name", NARROW)
def test_where_a_schema_asks_for_more_only_sure_calls_are_written(name):
    properties, whole = NARROW[name]
    parameters = {"type": "object", "properties": properties, **whole}
    start = tracker(parameters)
    allowed = 0
    for call in calls_of(properties):
        lines = "".join(
            f"      {bare(key)}: {inline(tuple(v) if isinstance(v, list) else v)}\n" for key, v in call.items()
        )
        if start.allows((f"    arguments:\n{lines}" if lines else "").encode() + LATER):
            assert is_valid(parameters, call), call
            allowed += 1
    assert allowed


CATALOGUE = (*BOUNDED, *RULED)


def _walk(frame, rng, liked):
    """Random bytes up to the end, soon those of the policy."""
    text = b""
    for _ in range(1500):
        if frame.is_final:
            return text
        hints = frame.hints()
        allowed = [byte for byte in (range(256) if hints is None else sorted(hints)) if frame.step(byte) is not None]
        assert allowed, text
        wanted = [byte for byte in allowed if byte in liked] if rng.random() < 0.7 else []
        byte = rng.choice(wanted or allowed)
        frame, text = frame.step(byte), text + bytes((byte,))
    return text + finish(frame)


def test_every_random_answer_with_nasty_schemas_is_valid():
    calls = 0
    for seed in range(300):
        rng = random.Random(seed)
        room = rng.choice([400, 400, 12, 5])
        tools = tuple(rng.sample(CATALOGUE, 4)) if seed % 2 else CATALOGUE
        types = ("tool_call", "end", "assign")
        constraints = Constraints(tools=tools, max_nodes=3, max_text_chars=room, allowed_node_types=types)
        start = SemanticTracker(constraints)
        called = feed(start.frame, b"### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\n")
        called = feed(called, b"graph_type: subgraph\nnodes:\n  - id: a\n    type: tool_call\n")
        head = b"### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n"
        if called is None:
            continue
        calls += 1
        text = head + b"  - id: a\n    type: tool_call\n" + _walk(called, rng, frozenset(b'"\n],0123'))
        judge(text, constraints)
    assert calls > 250


@pytest.mark.parametrize("name", ["bytes", pytest.param("smollm2", marks=pytest.mark.masks)])
def test_masks_hold_exactly_the_tokens_that_step_by_step_judging_allows(name):
    tokenizer = load_tokenizer(name)
    overlay = Overlay(VocabularyTrie(tokenizer.vocabulary))
    tokens = tokenizer.vocabulary.tokens
    context = ContextSignature(available_vars=("query",))
    rng = random.Random(5)
    bitmask = allocate_bitmask(1, tokenizer.vocab_size)
    for tool in CATALOGUE:
        types = ("tool_call", "end")
        constraints = Constraints(tools=(tool,), context=context, allowed_node_types=types, max_text_chars=60)
        matcher = SemanticMatcher(constraints, tokenizer, overlay=overlay)
        for text in (
            "### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n",
        ):
            assert all(matcher.accept(token_id) for token_id in tokenizer.encode(text))
        for at in range(70):
            matcher.fill_bitmask(bitmask, 0)
            bits = np.unpackbits(bitmask[0].view(np.uint8), bitorder="little")[: tokenizer.vocab_size]
            allowed = np.flatnonzero(bits).tolist()
            frame = matcher.frame
            if not frame.is_final and (name == "bytes" or at % 12 == 11):
                assert allowed == [i for i, token in enumerate(tokens) if token and feed(frame, token) is not None]
            short = [i for i in allowed if tokens[i] and set(tokens[i]) <= set(b'"\n] 0123{}')]
            if matcher.is_terminated():
                break
            assert matcher.accept(rng.choice(short if short and rng.random() < 0.5 else allowed))
            if matcher.is_terminated():
                break


REFUSED = {
    "contradicting": {"properties": {"a": {}}, "minProperties": 2},
    "required and not among its own": {"properties": {"a": {}}, "required": ["b"]},
    "required without a value": {"properties": {"a": {"type": "string", "minLength": 50}}, "required": ["a"]},
    "no schema": {"properties": {"a": {"type": "array", "items": [{}]}}},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_tool_of_which_no_call_is_valid_is_never_called(name):
    tools = (ToolSpec(name="t", parameters=REFUSED[name]), ToolSpec(name="u"))
    begun = SemanticTracker(Constraints(tools=tools, max_text_chars=8))
    assert begun.accept(HEAD.removesuffix(b"t\n"))
    assert begun.allowed_next() == frozenset(b"u")
