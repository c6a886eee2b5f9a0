"""Renders chat templates: a list of messages becomes the text that a chat model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from agentic_dsl.errors import MissingExtraError, TokenizerError

if TYPE_CHECKING:
    import jinja2


@dataclass(frozen=True)
class ChatTemplate:
    """A Jinja template as transformers defines it.

    Attributes:
        source: the template's text.
        variables: what it may read beside the messages, such as ``bos_token``.
    """

    source: str
    variables: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _template(self) -> jinja2.Template:
        try:
            from jinja2.ext import loopcontrols
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError as exc:
            raise MissingExtraError.of("jinja2", "transformers") from exc
        # Templates come with models from anywhere: sandboxed, and with the whitespace rules of transformers.
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.globals["raise_exception"] = _refuse
        return environment.from_string(self.source)

    def render(self, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool = True) -> str:
        """The text of a conversation.

        Args:
            messages: mappings with ``role`` and ``content``.
            add_generation_prompt: whether the text ends where the model's answer begins.

        Raises:
            TokenizerError: the template is malformed, or refuses these messages.
            MissingExtraError: jinja2 is not installed.
        """
        from jinja2 import TemplateError

        try:
            return self._template.render(
                **self.variables,
                messages=[dict(message) for message in messages],
                add_generation_prompt=add_generation_prompt,
            )
        # Beside Jinja's own errors, a template's expressions raise what Python raises for them.
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as exc:
            raise TokenizerError(
                f"the chat template cannot render these messages: {exc}",
                help='give messages with "role" and "content" in an order that the model knows',
            ) from exc


def _refuse(message: str) -> NoReturn:
    """What templates call to refuse a conversation."""
    raise ValueError(message)
