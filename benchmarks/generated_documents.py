"""A catalogue of ten tools, and documents in the generated layout that call them: what masks are measured on."""

from __future__ import annotations

from typing import Any

from agentic_dsl.constraints import ToolSpec


def _tool(name: str, required: int = 1, **properties: Any) -> ToolSpec:
    """A tool whose first parameters are required."""
    schema = {"type": "object", "properties": properties, "required": list(properties)[:required]}
    return ToolSpec(name=name, parameters=schema)


_TEXT, _WHOLE, _YES_NO = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_TEXTS = {"type": "array", "items": _TEXT}

TOOLS = (
    _tool("web_search", query=_TEXT, limit=_WHOLE, language={"enum": ["en", "de", "zh"]}, tags=_TEXTS),
    _tool("get_weather", city=_TEXT, unit={"enum": ["celsius", "fahrenheit"]}, days=_WHOLE),
    _tool("search_news", 0, topic=_TEXT, since=_TEXT, exact=_YES_NO),
    _tool("send_email", 3, to=_TEXTS, subject=_TEXT, body=_TEXT, urgent=_YES_NO),
    _tool("convert_currency", 3, amount={"type": "number"}, source=_TEXT, target=_TEXT),
    _tool("find_flights", 2, origin=_TEXT, destination=_TEXT, date=_TEXT, passengers=_WHOLE, direct=_YES_NO),
    _tool("book_hotel", 2, city=_TEXT, nights=_WHOLE, stars={"enum": [3, 4, 5]}),
    _tool("translate", 2, text=_TEXT, target=_TEXT, source=_TEXT),
    _tool("create_event", 2, title=_TEXT, start=_TEXT, end=_TEXT, guests=_TEXTS),
    _tool("get_stock_price", symbol=_TEXT, exchange=_TEXT),
)


def catalogue(size: int) -> tuple[ToolSpec, ...]:
    """A catalogue of any size: `TOOLS` again and again under other names."""
    return tuple(
        tool if number < len(TOOLS) else tool.model_copy(update={"name": f"{tool.name}_{number}"})
        for number in range(size)
        for tool in [TOOLS[number % len(TOOLS)]]
    )


MIXED = """\
### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: begin
    type: start
    next: ["/dynamic/plan/prepare"]
  - id: prepare
    type: assign
    assign:
      question: "What is the weather in {{ $.city }} and {{ other.city[0] }} today?"
      limit: 5
      done: false
    next: ["/dynamic/plan/split"]
  - id: split
    type: fork
    fork:
      branches: ["/dynamic/plan/search_a", "/dynamic/plan/search_b"]
  - id: search_a
    type: tool_call
    tool: get_weather
    arguments:
      city: "{{ $.city }}"
      unit: "celsius"
      days: 5
    output_keys: ["weather"]
    next: ["/dynamic/plan/both"]
  - id: search_b
    type: tool_call
    tool: web_search
    arguments:
      query: "things to do in {{ city }}, tomorrow morning"
      tags: ["outdoors", "family"]
    output_keys: ["news", "papers"]
    next: ["/dynamic/plan/both"]
  - id: both
    type: join
    join:
      wait_for: ["/dynamic/plan/search_a", "/dynamic/plan/search_b"]
      merge_strategy: deep_merge
    next: ["/dynamic/plan/summarise"]
  - id: summarise
    type: dsl_call
    prompt_template: "Summarise {{ weather }} and {{ default(news, \\"nothing\\") }} in two sentences.\\nBe {brief}."
    llm_tool_name: llama-default
    llm_params:
      temperature: 0.2
      max_tokens: 256
    output_keys: ["summary"]
    on_error: "/dynamic/plan/finish"
    next: ["/dynamic/plan/verify"]
  - id: verify
    type: assert
    condition: "{{ length(summary) > 0 }}"
    on_failure: "/dynamic/plan/finish"
    next: ["/dynamic/plan/compute"]
  - id: compute
    type: codelet_call
    runtime: python3
    code: "import json\\nprint(json.dumps({\\"a\\": 1}))\\n"
    output_keys: ["result"]
    next: ["/dynamic/plan/deepen"]
  - id: deepen
    type: generate_subgraph
    prompt_template: "Plan what else the traveller could do, given {{ summary }}."
    namespace_prefix: "/dynamic/deeper"
    output_keys: ["more"]
    next: ["/dynamic/plan/finish"]
  - id: finish
    type: end
    metadata:
      termination_mode: soft
    output_keys: ["summary", "result"]
# --- END AgenticDSL ---
```
"""

TRIP = """\
### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: flights
    type: tool_call
    tool: find_flights
    arguments:
      origin: "Berlin"
      destination: "Lisbon"
      date: "2026-05-03"
      passengers: 2
      direct: true
    output_keys: ["flights"]
    next: ["/dynamic/plan/hotel"]
  - id: hotel
    type: tool_call
    tool: book_hotel
    arguments:
      city: "Lisbon"
      nights: 4
      stars: 4
    output_keys: ["booking"]
    next: ["/dynamic/plan/price"]
  - id: price
    type: tool_call
    tool: convert_currency
    arguments:
      amount: "{{ booking.total }}"
      source: "EUR"
      target: "USD"
    output_keys: ["price"]
    next: ["/dynamic/plan/event"]
  - id: event
    type: tool_call
    tool: create_event
    arguments:
      title: "Trip to Lisbon with {{ $.guest.name }}"
      start: "2026-05-03T08:30"
      guests: ["{{ $.guest.email }}", "travel desk"]
    output_keys: ["event"]
    next: ["/dynamic/plan/mail"]
  - id: mail
    type: tool_call
    tool: send_email
    arguments:
      to: ["{{ $.guest.email }}"]
      subject: "Our trip to Lisbon"
      body: "Hello {{ $.guest.name }},\\n\\nwe fly {{ flights[0].number }}; the hotel costs {{ price }} dollars.\\n"
    output_keys: ["sent"]
    next: ["/__system__/end_soft"]
# --- END AgenticDSL ---
```
"""

DOCUMENTS = (MIXED, TRIP)
