"""ADL0: rules about the document as a whole."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.lint.examples import block, subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule

_END = subgraph("- {id: done, type: end}")
_META = block("/__meta__", 'version: "3.10"\nentry_point: /main/p')

RULES: tuple[Rule, ...] = (
    Rule(
        codes.TOO_LARGE,
        Group.SYNTAX,
        "Work and memory are bounded: a text of this size is a mistake or an attack, and no part of it is judged.",
        bad=Example(lambda: "x" * (8 * 1024 * 1024 + 1), shown="a text of more than 8 MiB"),
        good=Example(_END),
    ),
    Rule(
        codes.NOT_TEXT,
        Group.SYNTAX,
        "Offsets, names and templates are all counted in characters; bytes that are none would be guessed at.",
        bad=Example(lambda: f"\udcff\n\n{_END}", shown="a file with the byte 0xff"),
        good=Example(f"é\n\n{_END}"),
    ),
    Rule(
        codes.NO_BLOCK,
        Group.SYNTAX,
        "Nothing in the file is read: mostly a heading lacks the word AgenticDSL or stands inside of a fence.",
        bad=Example("# Plan\n\nTo be written.\n"),
        good=Example(f"# Plan\n\n{_END}"),
    ),
    Rule(
        codes.HEADING_WITHOUT_BLOCK,
        Group.SYNTAX,
        "The heading promises a block, and what follows it is only prose: the block is missing for everybody who "
        "calls it.",
        bad=Example(f"{_END}\n### AgenticDSL `/main/other`\n\nTo be written.\n"),
        good=Example(_END),
    ),
    Rule(
        codes.HEADING_WITHOUT_PATH,
        Group.SYNTAX,
        "A block without a path can be neither entered nor called.",
        bad=Example(_END.replace(" `/main/p`", "", 1)),
        good=Example(_END),
    ),
    Rule(
        codes.UNTERMINATED_BLOCK,
        Group.SYNTAX,
        "Everything up to the end of the file belongs to the block then, prose and other blocks with it.",
        bad=Example(_END.removesuffix("```\n")),
        good=Example(_END),
    ),
    Rule(
        codes.BAD_MARKER,
        Group.SYNTAX,
        "Executors that look for the markers cut the block at another place than those that do not.",
        bad=Example(_END.replace("graph_type", "# --- BEGIN AgenticDSL ---\ngraph_type", 1)),
        good=Example(
            _END.replace("graph_type", "# --- BEGIN AgenticDSL ---\ngraph_type", 1).replace(
                "end}\n", "end}\n# --- END AgenticDSL ---\n"
            )
        ),
    ),
    Rule(
        codes.UNKNOWN_BLOCK_KIND,
        Group.SYNTAX,
        "Nobody can say what the block is for; executors skip it, and references to it lead nowhere.",
        bad=Example(block("/main/p", "title: A plan")),
        good=Example(_END),
    ),
    Rule(
        codes.UNATTACHED_SELF,
        Group.SYNTAX,
        "/self means the block before; without one the path is unknown.",
        bad=Example(subgraph("- {id: done, type: end}", path="/self/part")),
        good=Example(_END),
    ),
    Rule(
        codes.WRONG_FENCE,
        Group.SYNTAX,
        "Editors and executors take the body for another language and do not read it.",
        bad=Example(_END.replace("```yaml", "```toml")),
        good=Example(_END),
    ),
    Rule(
        codes.DOCUMENT_NODE_LIMIT,
        Group.SYNTAX,
        "Work and memory are bounded: nodes beyond the limit are not read.",
        bad=Example(
            lambda: subgraph("\n".join(f"- {{id: n_{n}, type: end}}" for n in range(10_001))),
            shown="a document of 10,001 nodes",
            costly=True,
        ),
        good=Example(_END),
    ),
)
"""In order of code."""
