"""The YAML event stream without libyaml, for a PyYAML that was built without it."""

from __future__ import annotations

from typing import Any

from yaml.error import MarkedYAMLError
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner


class PureParser(Reader, Scanner, Parser):
    """PyYAML's own parser with the interface of libyaml's: ``PureParser(text).get_event()``."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def get_event(self) -> Any:
        """The next event; escapes of code points that do not exist are errors of YAML here, too."""
        try:
            return super().get_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it open
        except (ValueError, OverflowError) as error:
            raise MarkedYAMLError(
                problem="found invalid Unicode character escape code", problem_mark=self.get_mark()
            ) from error
