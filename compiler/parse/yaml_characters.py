"""Characters that libyaml refuses or takes for line ends, swapped for others while it reads.

YAML 1.2 allows every character but the C0 controls inside quotes and breaks lines at CR and LF only; libyaml is a YAML
1.1 reader: it refuses DEL and C1 controls, drops U+FEFF, and breaks lines at U+0085, U+2028 and U+2029. Each such
character is replaced by a private-use character that the text does not hold, one for one, so that offsets stay, and
put back into the values. So are escapes of surrogates, which JSON writes in pairs and libyaml refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_PRIVATE = range(0xE000, 0xF900)
_PRIVATE_CHARACTER = re.compile("[\ue000-\uf8ff]")
_PRIVATE_ESCAPE = re.compile(r"\\(?:u|U0000)([eEfF][0-9a-fA-F]{3})")
_SURROGATE = re.compile("[\ud800-\udfff]")

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""The characters that YAML 1.2 does not allow anywhere."""


@dataclass(frozen=True, slots=True)
class Shielded:
    """A text that libyaml can read, of the same length as the original.

    Attributes:
        text: what libyaml gets.
        characters: swapped character (its code point) → the original one.
        escapes: swapped escape → the escape as written.
    """

    text: str
    characters: Mapping[int, str] = field(default_factory=dict)
    escapes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether nothing was swapped."""
        return not self.characters

    def restore(self, value: str) -> str:
        """A value that libyaml read, with the original characters; escaped surrogate pairs become one character."""
        if not self.characters:
            return value
        if self.escapes:
            value = _PRIVATE_ESCAPE.sub(lambda found: self.escapes.get(found[0], found[0]), value)
        value = value.translate(self.characters)
        if self.escapes and _SURROGATE.search(value):
            value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return value


def shield(text: str) -> Shielded:
    """Swaps what libyaml cannot read. A text without such characters, which is the rule, costs two searches."""
    refused = dict.fromkeys(_REFUSED.findall(text))
    escapes = dict.fromkeys(_SURROGATE_ESCAPE.findall(text)) if "\\u" in text else {}
    if not refused and not escapes:
        return Shielded(text)
    free = _unused_private_characters(text)
    swapped = {ord(original): chr(code) for original, code in zip(refused, free, strict=False)}
    shielded = text.translate(swapped)
    back = {ord(private): chr(original) for original, private in swapped.items()}
    written: dict[str, str] = {}
    for escape, code in zip(escapes, free, strict=False):
        back[code] = chr(int(escape[2:], 16))
        written[f"\\u{code:04x}"] = escape
    to_private = {escape: private for private, escape in written.items()}
    if written:
        shielded = _SURROGATE_ESCAPE.sub(lambda found: to_private.get(found[0], found[0]), shielded)
    return Shielded(shielded, back, written)


def _unused_private_characters(text: str) -> Iterator[int]:
    used = {ord(character) for character in _PRIVATE_CHARACTER.findall(text)}
    used |= {int(digits, 16) for digits in _PRIVATE_ESCAPE.findall(text)}
    return (code for code in _PRIVATE if code not in used)
