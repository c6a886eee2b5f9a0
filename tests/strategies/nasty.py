"""Text that is nearly a document: cut, doubled and spliced with what readers stumble over."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.strategies.spellings import spelled_documents
from tests.strategies.values import texts

SPLINTERS = (
    "```",
    "~~~",
    "````yaml\n",
    "### AgenticDSL `/main/p`\n",
    "## AgenticDSL\n",
    "# --- BEGIN AgenticDSL ---\n",
    "# --- END AgenticDSL ---\n",
    "\n\n",
    "\r",
    "\t",
    "  - ",
    "- id: a\n",
    ": ",
    "? ",
    "|\n",
    ">-\n",
    "{",
    "]",
    '"',
    "'",
    "&a ",
    "*a",
    "!!str ",
    "<<: ",
    "# c\n",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "{{ ",
    "{% if x %}",
    "null",
    "\ufeff",
    "\x00",
    "\x85",
    "\u2028",
    "\ud800",
    "id: a\n",
    "next: b\n",
    "type: end\n",
    "signature: '(x'\n",
    "permissions: [x]\n",
)


@st.composite
def nasty_texts(draw: st.DrawFn) -> str:
    """A spelled document after one to four accidents."""
    text = draw(spelled_documents()).text
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(start + draw(st.integers(0, 40)), len(text))
        splinter = draw(st.one_of(st.sampled_from(SPLINTERS), st.just(text[start:end]), texts))
        text = text[:start] + splinter + text[draw(st.sampled_from((start, end))) :]
    return text
