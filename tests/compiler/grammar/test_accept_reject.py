"""What the emitted grammar accepts and what it refuses: blocks, counts, types, fields, tools, references."""

from __future__ import annotations

import pytest

from tests.compiler.grammar.judging import END, Case, block, call, check, no, node, yes
from tests.compiler.grammar.requests import LIBRARIES

pytestmark = pytest.mark.masks

# --- blocks and counts -----------------------------------------------------------------------------------------------

NODE = node("assign", 'assign:\n  x: "1"\n')
SIGNATURE = 'signature: "(a: number, b?: string) -> {sum: number}"\n'

BLOCKS = {
    "the smallest block": yes(block()),
    "N nodes": yes(block(NODE * 3), max_nodes=3),
    "N + 1 nodes": no(block(NODE * 4), max_nodes=3),
    "no nodes": no(block("")),
    "enough nodes": yes(block(NODE * 2), min_nodes=2),
    "too few nodes": no(block(NODE), min_nodes=2),
    "another path": no(block(path="/dynamic/other")),
    "a library instead of a plan": no(block(path="/lib/math/add", keys=SIGNATURE)),
    "text before the block": no("Here it is:\n\n" + block()),
    "text after the block": no(block() + "\n"),
    "a signature that nobody asked for": no(block(keys=SIGNATURE)),
    "the signature asked for": yes(block(keys=SIGNATURE), signature="(a:number,b?:str)->sum:number"),
    "no signature where one is asked for": no(block(), signature="() -> x: any"),
    "a library with a signature": yes(block(path="/lib/math/add", keys=SIGNATURE), path="/lib/math/add"),
    "a library without a signature": no(block(path="/lib/math/add"), path="/lib/math/add"),
    "a library with lists": yes(
        block(path="/lib/m/a", keys='signature: "() -> {xs: array<number>, m?: any}"\n'), path="/lib/m/a"
    ),
    "a library without outputs": yes(block(path="/lib/m/a", keys='signature: "(x: any) -> ()"\n'), path="/lib/m/a"),
    "an unknown type in a signature": no(
        block(path="/lib/m/a", keys='signature: "() -> {x: text}"\n'), path="/lib/m/a"
    ),
    "permissions granted": yes(block(keys='permissions: ["network"]\n'), permissions=("network", "file: read")),
    "all permissions granted": yes(
        block(keys='permissions: ["network", "file: read"]\n'), permissions=("network", "file:read")
    ),
    "permissions in another order": no(
        block(keys='permissions: ["file: read", "network"]\n'), permissions=("network", "file: read")
    ),
    "a permission twice": no(block(keys='permissions: ["network", "network"]\n'), permissions=("network",)),
    "a permission not granted": no(block(keys='permissions: ["memory"]\n'), permissions=("network",)),
    "no permissions at all": no(block(keys='permissions: ["network"]\n')),
    "two blocks": yes(block() + "\n" + block(path="/dynamic/plan/more"), max_subgraphs=2),
    "two blocks where one is allowed": no(block() + "\n" + block(path="/dynamic/plan/more")),
    "three blocks where two are allowed": no(block() + ("\n" + block(path="/dynamic/plan/more")) * 2, max_subgraphs=2),
    "a further block elsewhere": no(block() + "\n" + block(path="/dynamic/more"), max_subgraphs=2),
    "a reference into a further block": yes(
        block(node("assert", 'condition: "{{ x }}"\n', next_='["/dynamic/plan/more/done"]')), max_subgraphs=2
    ),
}


@pytest.mark.parametrize("case", BLOCKS.values(), ids=BLOCKS.keys())
def test_blocks(case: Case) -> None:
    check(case)


# --- types -----------------------------------------------------------------------------------------------------------

CALL = node("tool_call", 'tool: now\noutput_keys: ["t"]\n')
LAYER_3 = {"path": "/lib/workflow/x", "signature": "() -> x: any"}

TYPES = {
    "an allowed type": yes(block(NODE), allowed_node_types=("assign",)),
    "a type not allowed": no(block(NODE), allowed_node_types=("end", "assert")),
    "an unknown type": no(block(node("sleep", ""))),
    "a type that is never generated": no(block("  - id: r\n    type: resource\n    resource_type: file\n    uri: x\n")),
    "an old spelling": no(block(node("llm_call", 'prompt_template: "x"\n'))),
    "a start first": yes(block(node("start", "") + END)),
    "a start later": no(block(END + node("start", ""))),
    "a join first": no(block(node("join", 'join:\n  wait_for: ["/dynamic/plan/b"]\n'))),
    "a tool call where there are no tools": no(block(CALL), tools=()),
    "a tool call in a layer-3 library": no(
        block(CALL.replace("/dynamic/plan", "/lib/workflow/x"), "/lib/workflow/x", 'signature: "() -> {x: any}"\n'),
        **LAYER_3,
    ),
    "an assignment in a layer-3 library": yes(
        block(NODE.replace("/dynamic/plan", "/lib/workflow/x"), "/lib/workflow/x", 'signature: "() -> {x: any}"\n'),
        **LAYER_3,
    ),
    "a tool call in an adapter": yes(
        block(CALL.replace("/dynamic/plan", "/lib/tool/x"), "/lib/tool/x", 'signature: "() -> {x: any}"\n'),
        path="/lib/tool/x",
        signature="() -> x",
    ),
    "generation": yes(block(node("generate_subgraph", 'prompt_template: "x"\noutput_keys: ["k"]\n'))),
    "generation without depth": no(
        block(node("generate_subgraph", 'prompt_template: "x"\noutput_keys: ["k"]\n')), max_subgraph_depth=0
    ),
}


@pytest.mark.parametrize("case", TYPES.values(), ids=TYPES.keys())
def test_types(case: Case) -> None:
    check(case)


# --- fields ----------------------------------------------------------------------------------------------------------

SOFT = "metadata:\n  termination_mode: soft\n"
KEYS = 'output_keys: ["k"]\n'
MODEL = "llm_tool_name: llama-default\n"

FIELDS = {
    "an end with everything": yes(block(node("end", f'{SOFT}output_keys: ["a", "b"]\n', next_=None))),
    "an end with a next": no(block(node("end", ""))),
    "a hard end says nothing": no(block(node("end", SOFT.replace("soft", "hard"), next_=None))),
    "other metadata": no(block(node("end", "metadata:\n  note: x\n", next_=None))),
    "an assignment of nothing": no(block(node("assign", "assign:\n"))),
    "an assignment that hands on keys": yes(block(node("assign", f"assign:\n  k: 1\n{KEYS}"))),
    "a handler": yes(block(node("assign", 'assign:\n  k: 1\non_error: "/dynamic/plan/b"\n'))),
    "a handler at an end": yes(block(node("assign", 'assign:\n  k: 1\non_error: "/__system__/end_soft"\n'))),
    "a handler on a start": no(block(node("start", 'on_error: "/dynamic/plan/b"\n') + END)),
    "fields in another order": no(block(node("assign", f"{KEYS}assign:\n  k: 1\n"))),
    "a field that is never generated": no(block(node("assign", 'assign:\n  k: 1\npermissions: ["network"]\n'))),
    "code": yes(block(node("codelet_call", 'runtime: python3\ncode: "x = {{1}}\\n{% %}"\n'))),
    "empty code": no(block(node("codelet_call", 'runtime: python3\ncode: ""\n'))),
    "a prompt": yes(block(node("dsl_call", f'prompt_template: "Go."\n{MODEL}{KEYS}'))),
    "an empty prompt": no(block(node("dsl_call", f'prompt_template: ""\n{MODEL}{KEYS}'))),
    "a prompt whose answer nobody gets": no(block(node("dsl_call", f'prompt_template: "x"\n{MODEL}'))),
    "parameters": yes(
        block(node("dsl_call", f'prompt_template: "x"\n{MODEL}llm_params:\n  temperature: 0.2\n  seed: -3\n{KEYS}'))
    ),
    "parameters in another order": no(
        block(node("dsl_call", f'prompt_template: "x"\n{MODEL}llm_params:\n  seed: 1\n  temperature: 0\n{KEYS}'))
    ),
    "no parameters": no(block(node("dsl_call", f'prompt_template: "x"\n{MODEL}llm_params:\n{KEYS}'))),
    "a template as a parameter": no(
        block(node("dsl_call", f'prompt_template: "x"\n{MODEL}llm_params:\n  seed: "{{{{ s }}}}"\n{KEYS}'))
    ),
    "a model name that YAML reads as a value": no(
        block(node("dsl_call", f'prompt_template: "x"\nllm_tool_name: Yes\n{KEYS}'))
    ),
    "one branch": no(block(node("fork", 'fork:\n  branches: ["/dynamic/plan/b"]\n', next_=None))),
    "two branches": yes(block(node("fork", 'fork:\n  branches: ["/dynamic/plan/b", "/dynamic/plan/c"]\n', next_=None))),
    "a branch to an end": no(
        block(node("fork", 'fork:\n  branches: ["/dynamic/plan/b", "/__system__/end_soft"]\n', next_=None))
    ),
    "a fork with a next": no(block(node("fork", 'fork:\n  branches: ["/dynamic/plan/b", "/dynamic/plan/c"]\n'))),
    "a join": yes(block(END + node("join", 'join:\n  wait_for: ["/dynamic/plan/b"]\n  merge_strategy: deep_merge\n'))),
    "a merge for development only": no(
        block(END + node("join", 'join:\n  wait_for: ["/dynamic/plan/b"]\n  merge_strategy: last_write_wins\n'))
    ),
    "generation with everything": yes(
        block(
            node(
                "generate_subgraph",
                'prompt_template: "x"\nsignature_validation: warn\nnamespace_prefix: "/dynamic/a/B-2"\n' + KEYS,
            )
        )
    ),
    "generation outside of /dynamic": no(
        block(node("generate_subgraph", f'prompt_template: "x"\nnamespace_prefix: "/lib/a"\n{KEYS}'))
    ),
    "the id end of an end": yes(block("  - id: end\n    type: end\n")),
    "the id end of something else": no(block(node("assign", "assign:\n  k: 1\n", id_="end"))),
    **{
        f"the id {word}": no(block(f"  - id: {word}\n    type: end\n"))
        for word in ("on", "null", "y", "A", "_a", "a-b", '"a"', "")
    },
    **{
        f"the id {word}": yes(block(f"  - id: {word}\n    type: end\n"))
        for word in ("o", "ony", "nul", "null_", "yesterday", "en", "ended", "x9_")
    },
    "a key that YAML reads as a value": no(block(node("assign", "assign:\n  no: 1\n"))),
}


@pytest.mark.parametrize("case", FIELDS.values(), ids=FIELDS.keys())
def test_fields(case: Case) -> None:
    check(case)


# --- tools -----------------------------------------------------------------------------------------------------------


WEATHER = "tool: get_weather\narguments:\n"
HELLO = 'tool: "say hello"\n'

CALLS = {
    "required arguments": yes(call(f'{WEATHER}  city: "Oslo"\n')),
    "all arguments": yes(
        call(f'{WEATHER}  city: "Oslo"\n  days: 3\n  unit: "celsius"\n  exact: true\n  tags: ["a", "{{{{ b }}}}"]\n')
    ),
    "a required argument missing": no(call(f"{WEATHER}  days: 3\n")),
    "no arguments where some are required": no(call("tool: get_weather\n")),
    "an argument that the tool lacks": no(call(f'{WEATHER}  city: "Oslo"\n  country: "Norway"\n')),
    "arguments in another order": no(call(f'{WEATHER}  days: 3\n  city: "Oslo"\n')),
    "an argument twice": no(call(f'{WEATHER}  city: "Oslo"\n  city: "Rome"\n')),
    "a value outside of the enum": no(call(f'{WEATHER}  city: "Oslo"\n  unit: "kelvin"\n')),
    "null within the enum": yes(call(f'{WEATHER}  city: "Oslo"\n  unit: null\n')),
    "a number within the enum": yes(call(f'{WEATHER}  city: "Oslo"\n  unit: 3\n')),
    "a number outside of the enum": no(call(f'{WEATHER}  city: "Oslo"\n  unit: 4\n')),
    "a template for an enum": yes(call(f'{WEATHER}  city: "Oslo"\n  unit: "{{{{ $.unit }}}}"\n')),
    "a template for a number": yes(call(f'{WEATHER}  city: "Oslo"\n  days: "{{{{ length(days) }}}}"\n')),
    "text around a template for a number": no(call(f'{WEATHER}  city: "Oslo"\n  days: "about {{{{ n }}}}"\n')),
    "text for a number": no(call(f'{WEATHER}  city: "Oslo"\n  days: "three"\n')),
    "a fraction for an integer": no(call(f'{WEATHER}  city: "Oslo"\n  days: 2.5\n')),
    "an integer for text": no(call(f"{WEATHER}  city: 3\n")),
    "a list item of another type": no(call(f'{WEATHER}  city: "Oslo"\n  tags: ["a", 3]\n')),
    "an empty list": yes(call(f'{WEATHER}  city: "Oslo"\n  tags: []\n')),
    "a tool that is not there": no(call("tool: get_time\n")),
    "a tool without arguments": yes(call("tool: now\n")),
    "arguments for a tool without": no(call("tool: now\narguments:\n  x: 1\n")),
    "a name in quotes": yes(call(HELLO)),
    "the same name without": no(call("tool: say hello\n")),
    "optional arguments, none of them": no(call(f"{HELLO}arguments:\n")),
    "optional arguments, the first": yes(call(f'{HELLO}arguments:\n  "on": 1.5\n')),
    "optional arguments, the last": yes(call(f'{HELLO}arguments:\n  where: "{{{{ place }}}}"\n')),
    "optional arguments, all": yes(
        call(f'{HELLO}arguments:\n  "on": null\n  sizes: [1, 2.5, "large"]\n  where: "{{{{ p }}}}"\n')
    ),
    "a key that needs quotes, without": no(call(f"{HELLO}arguments:\n  on: 1.5\n")),
    "an object in place": no(call(f'{HELLO}arguments:\n  where: "Oslo"\n')),
    "a list item outside of its enum": no(call(f"{HELLO}arguments:\n  sizes: [1, 2]\n")),
    "no result": no(block(node("tool_call", "tool: now\n"))),
    "a result by path": yes(call("tool: now\n", 'output_mapping:\n  t: "time.iso"\n')),
    "keys and a result by path": yes(call("tool: now\n", 'output_keys: ["r"]\noutput_mapping:\n  t: "time"\n')),
    "a result by path that is no text": no(call("tool: now\n", "output_mapping:\n  t: 1\n")),
    "any tool": yes(
        call('tool: a/b.c-d\narguments:\n  max-results: 3\n  q: "x"\n  l: [1, "a", null, true]\n'), tools=None
    ),
    "any tool without arguments": yes(call("tool: x\n"), tools=None),
    "any tool but a YAML word": no(call("tool: True\n"), tools=None),
    "any argument but a YAML word": no(call("tool: x\narguments:\n  NO: 1\n"), tools=None),
}


@pytest.mark.parametrize("case", CALLS.values(), ids=CALLS.keys())
def test_tool_calls(case: Case) -> None:
    check(case)


# --- references ------------------------------------------------------------------------------------------------------


def leading(to: str) -> str:
    return block(node("assign", "assign:\n  k: 1\n", next_=to))


TIDY = "/lib/text/tidy@v1.2"
LIBS = {"libraries": LIBRARIES}

REFERENCES = {
    "a node": yes(leading('["/dynamic/plan/b"]')),
    "several nodes": yes(leading('["/dynamic/plan/b", "/dynamic/plan/c"]')),
    "an end": yes(leading('["/__system__/end_soft"]')),
    "an end that is not asked for": no(leading('["/end_soft"]')),
    "an end that is asked for": yes(leading('["/end_soft"]'), targets=("/end_soft",)),
    "two ends": no(leading('["/__system__/end_soft", "/__system__/end_soft"]')),
    "an end after a node": no(leading('["/dynamic/plan/b", "/__system__/end_soft"]')),
    "a node after an end": no(leading('["/__system__/end_soft", "/dynamic/plan/b"]')),
    "nothing": no(leading("[]")),
    "a bare id": no(leading('["b"]')),
    "a path without quotes": no(leading("[/dynamic/plan/b]")),
    "a node of another block": no(leading('["/dynamic/other/b"]')),
    "a template": no(leading('["{{ where }}"]')),
    "a call where there are none": no(leading(f'["{TIDY}"]')),
    "a call": yes(leading(f'["{TIDY}"]'), **LIBS),
    "a call, then nodes": yes(leading(f'["{TIDY}", "/lib/clock", "/dynamic/plan/b", "/dynamic/plan/c"]'), **LIBS),
    "a call, then an end": yes(leading(f'["{TIDY}", "/__system__/end_soft"]'), **LIBS),
    "a call after a node": no(leading(f'["/dynamic/plan/b", "{TIDY}"]'), **LIBS),
    "a call of another version": no(leading('["/lib/text/tidy@v2"]'), **LIBS),
    "a call without its version": no(leading('["/lib/text/tidy"]'), **LIBS),
    "inputs": yes(leading(f'["{TIDY}?text=a%20b&top=3"]'), **LIBS),
    "one input": yes(leading(f'["{TIDY}?top=3"]'), **LIBS),
    "a template as an input": yes(leading(f'["{TIDY}?text={{{{ $.x.y[0] }}}}&top=3"]'), **LIBS),
    "inputs in another order": no(leading(f'["{TIDY}?top=3&text=a"]'), **LIBS),
    "an input twice": no(leading(f'["{TIDY}?text=a&text=b"]'), **LIBS),
    "an input that the library lacks": no(leading(f'["{TIDY}?size=3"]'), **LIBS),
    "an input without a value": no(leading(f'["{TIDY}?text="]'), **LIBS),
    "an input that is not encoded": no(leading(f'["{TIDY}?text=a b"]'), **LIBS),
    "half an escape": no(leading(f'["{TIDY}?text=%2"]'), **LIBS),
    "inputs for a library without": no(leading('["/lib/clock?x=1"]'), **LIBS),
}


@pytest.mark.parametrize("case", REFERENCES.values(), ids=REFERENCES.keys())
def test_references(case: Case) -> None:
    check(case)
