"""Documents of a given size, written as people write them: mixed types, templates, handlers."""

from __future__ import annotations

_ROUND = """\
  - id: fetch_{i}
    type: tool_call
    tool: web_search
    arguments:
      query: "news about {{{{ topic_{p} }}}} number {i}"
      limit: 5
    output_keys: ["found_{i}"]
    on_error: "{path}/fallback_{i}"
    next: ["{path}/check_{i}"]
  - id: check_{i}
    type: assert
    condition: "{{{{ length(found_{i}) > 0 }}}}"
    on_failure: "{path}/fallback_{i}"
    next: ["{path}/write_{i}"]
  - id: write_{i}
    type: dsl_call
    prompt_template: "Summarise {{{{ found_{i} }}}} for {{{{ $.reader.name }}}} in {i} words."
    llm_tool_name: llama-default
    output_keys: ["text_{i}"]
    next: ["{path}/pass_{i}"]
  - id: fallback_{i}
    type: assign
    assign:
      note_{i}: "nothing was found in round {i}"
    next: ["{path}/pass_{i}"]
"""

_PASS = """\
  - id: pass_{i}
    type: assign
    assign:
      topic_{i}: "{{{{ topic_{p} }}}} again"
    next: ["{path}/fetch_{n}"]
"""

_END = """\
  - id: pass_{i}
    type: end
"""


def block(path: str, nodes: int, *, salt: int = 0) -> str:
    """One subgraph with ``nodes`` nodes, a multiple of five; all names differ with ``salt``, so no cache is warm."""
    rounds = nodes // 5
    first = salt * rounds
    body = []
    for i in range(first + 1, first + rounds + 1):
        last = _END if i == first + rounds else _PASS
        body.append((_ROUND + last).format(i=i, p=i - 1, n=i + 1, path=path))
    return (
        f"### AgenticDSL `{path}`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\n"
        f'signature: "(topic_{first}: string, reader: object) -> ()"\n'
        f"nodes:\n{''.join(body)}# --- END AgenticDSL ---\n```\n"
    )
