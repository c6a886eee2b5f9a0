"""The engine behind an SGLang server, in SGLang's own fields.

SGLang serves the same chat route as the others (its native ``/generate`` has no chat template), but spells grammars,
token ids of streams and priorities in its own way. Read from SGLang 0.5.23.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from agentic_dsl.runtime.engines.http.openai_wire import ServerFields
from agentic_dsl.runtime.engines.openai import OpenAIEngine


@dataclass(frozen=True, slots=True)
class SGLangFields:
    """What SGLang adds to a chat request.

    Attributes:
        low_priority_first: whether the server runs with ``--schedule-low-priority-values-first``.
    """

    low_priority_first: bool = False

    def grammar(self, text: str) -> Mapping[str, object]:
        """See `ServerFields.grammar`. It becomes ``sampling_params.ebnf`` in the server."""
        return {"ebnf": text}

    def token_ids(self, *, streams: bool) -> Mapping[str, object]:
        """See `ServerFields.token_ids`. A stream that asks for them as whole answers do is refused."""
        if streams:
            return {"return_input_ids_in_sglext": True, "return_output_ids_in_sglext": True}
        return {"return_token_ids": True}

    def priority(self, value: int) -> Mapping[str, object]:
        """See `ServerFields.priority`. Unless it is told otherwise, SGLang takes higher numbers first."""
        return {"priority": value if self.low_priority_first else -value}


class SGLangEngine(OpenAIEngine):
    """`OpenAIEngine` for SGLang servers, with the same options; priorities need ``--enable-priority-scheduling``."""

    default_url: ClassVar[str] = "http://127.0.0.1:30000/v1"
    label: ClassVar[str] = "sglang"
    fields: ClassVar[ServerFields] = SGLangFields()
