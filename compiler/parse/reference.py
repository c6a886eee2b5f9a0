"""Paths, versions, ranges and references from text (``language.md`` §2).

The grammar is ``path.lark``. The forms that documents are full of (a path, an id) are read by one regular expression
instead; a property test holds both readings equal.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from lark import Token, Transformer, v_args
from lark.exceptions import UnexpectedInput

from agentic_dsl.compiler.parse.lark_parser import END, built, expectation
from agentic_dsl.compiler.parse.problem import Problem, quoted
from agentic_dsl.compiler.parse.remembered import remembered
from agentic_dsl.paths import SEGMENT, Path, Reference, ReferenceKind, Version, VersionRange
from agentic_dsl.span import NOWHERE, Span

_CACHED = 8192
"""Texts remembered by each reader; references repeat within a document and between generations."""

_COMPONENTS = r"[0-9]{1,18}(?:\.[0-9]{1,18}){0,2}"
_PATH = re.compile(rf"(?:/{SEGMENT.pattern})++")
_PAIR = re.compile(r"""([A-Za-z0-9_]++)=(\{\{[^"'{}]*+\}\}|[^&#%\s{}]*+)""")
"""One input of a query as most are written: nothing is encoded, and a template holds no strings."""
_STATIC = re.compile(
    rf"(?P<path>{_PATH.pattern})(?:@v(?P<version>{_COMPONENTS}))?(?:\?(?P<query>{_PAIR.pattern}(?:&{_PAIR.pattern})*+))?"
    rf"|(?P<id>{SEGMENT.pattern})|(?P<all>@all)"
)
_VERSION = re.compile(rf"v?({_COMPONENTS})")
_RANGE = re.compile(rf"(?:v|(?P<operator>[\^~]))?(?P<version>{_COMPONENTS})")

_WORDS = {
    "SEGMENT": "a name of letters, digits, _ and -",
    "SLASH": '"/"',
    "AT": '"@" and a version range',
    "AT_V": '"@v" and a version',
    "OPERATOR": '"^" or "~"',
    "V": '"v"',
    "COMPONENT": "a number of at most 18 digits",
    "QUESTION": '"?"',
    "AND": '"&"',
    "EQUAL": '"="',
    "KEY": "the name of an input",
    "ENCODED": "a URL-encoded value",
    "TEMPLATE": "one template",
    END: "the end",
}


class Form(NamedTuple):
    """A reference without its text and place: what the text alone decides."""

    kind: ReferenceKind
    path: Path | None = None
    version: Version | None = None
    query: tuple[tuple[str, str], ...] = ()


_INVALID = Form(ReferenceKind.INVALID)
_TEMPLATE = Form(ReferenceKind.TEMPLATE)


@v_args(inline=True)
class _Build(Transformer[Token, object]):
    """Makes values of the rules of ``path.lark``."""

    def path(self, *tokens: Token) -> Path:
        return Path(tuple(str(token) for token in tokens if token.type == "SEGMENT"))

    def version(self, *tokens: Token) -> Version:
        return Version(tuple(int(token) for token in tokens if token.type == "COMPONENT"))

    def at_version(self, _at: Token, version: Version) -> Version:
        return version

    def range(self, *parts: Token | Version) -> VersionRange:
        *sign, version = parts
        operator = str(sign[0]) if sign and isinstance(sign[0], Token) and sign[0].type == "OPERATOR" else ""
        assert isinstance(version, Version)  # the rule ends in one
        return VersionRange(operator, version)

    def requirement(self, path: Path, _at: Token | None = None, range: VersionRange | None = None) -> object:
        return path, range

    def id(self, _name: Token) -> Form:
        return Form(ReferenceKind.ID)

    def all(self, _word: Token) -> Form:
        return Form(ReferenceKind.ALL)

    def value(self, text: Token) -> str:
        return _decoded(text)

    def template(self, text: Token) -> str:
        return str(text)

    def pair(self, key: Token, _equal: Token, value: str = "") -> tuple[str, str]:
        return _decoded(key), value

    def query(self, *parts: Token | tuple[str, str]) -> tuple[tuple[str, str], ...]:
        return tuple(part for part in parts if not isinstance(part, Token))

    def reference(self, path: Path, *parts: object) -> Form:
        version = next((part for part in parts if isinstance(part, Version)), None)
        query = next((part for part in parts if isinstance(part, tuple)), ())
        return static_form(path, version, query)

    def archive(self, _call: Token, text: Token, _close: Token) -> Token:
        return text


BUILD = _Build()
"""The one builder of ``path.lark``; its identity is part of the parser cache's key."""


def _decoded(text: str) -> str:
    """Percent-decoding; ``+`` stays, for expressions are passed more often than forms are.

    Bytes that are no UTF-8 become U+FFFD: the reference keeps its text, and what reads the value is told in time.
    """
    return unquote(str(text), errors="replace")


def static_form(path: Path, version: Version | None, query: tuple[tuple[str, str], ...]) -> Form:
    """The form of a text without templates outside its query: `INVALID` where its parts do not go together."""
    if path.segments[0] == "self":
        if version is not None or query or len(path.segments) == 1:
            return _INVALID
        return Form(ReferenceKind.SELF, Path(path.segments[1:]))
    if version is not None and not path.is_library:
        return _INVALID
    return Form(ReferenceKind.PATH, path, version, query)


def parse_reference(text: str, span: Span = NOWHERE) -> Reference:
    """What a text refers to; total: a text of none of the forms is a reference of kind `INVALID`.

    A text whose path part holds ``{{`` or ``{%`` is a `TEMPLATE`, whether or not the template can be read.

    Args:
        text: the reference as written.
        span: where it stands.
    """
    form = reference_form(text)
    return Reference(text, form.kind, form.path, form.version, form.query, span)


@remembered(_CACHED)
def reference_form(text: str) -> Form:
    """`parse_reference` without the place."""
    return form_by_pattern(text) or form_by_grammar(text)


def form_by_pattern(text: str) -> Form | None:
    """The fast reading: None where the text is not one of the common forms."""
    match = _STATIC.fullmatch(text)
    if match is None:
        return None
    if match["id"]:
        return Form(ReferenceKind.ID)
    if match["all"]:
        return Form(ReferenceKind.ALL)
    version = _version_of(match["version"]) if match["version"] else None
    query = tuple(_PAIR.findall(match["query"])) if match["query"] else ()
    return static_form(Path(tuple(match["path"][1:].split("/"))), version, query)


def form_by_grammar(text: str) -> Form:
    """The full reading."""
    try:
        form: Form = built("path", text, BUILD, start="reference")
    except UnexpectedInput:
        return _TEMPLATE if _opens_template(text.partition("?")[0]) else _INVALID
    return form


def _opens_template(text: str) -> bool:
    return "{{" in text or "{%" in text


def parse_path(text: str) -> Path | None:
    """An absolute path without version and query, None where the text is none."""
    return Path(tuple(text[1:].split("/"))) if _PATH.fullmatch(text) else None


def parse_version(text: str) -> Version | None:
    """A version of one to three components (``1``, ``1.2``, ``1.2.3``, each also after a ``v``), else None."""
    match = _VERSION.fullmatch(text)
    return _version_of(match[1]) if match else None


def parse_range(text: str) -> VersionRange | None:
    """A range as npm writes it: ``^1.2``, ``~1.2``, or ``1.2`` for exactly these components; else None."""
    match = _RANGE.fullmatch(text)
    return VersionRange(match["operator"] or "", _version_of(match["version"])) if match else None


def _version_of(text: str) -> Version:
    return Version(tuple(map(int, text.split("."))))


def parse_requirement(text: str) -> tuple[Path, VersionRange | None] | Problem:
    """The value of ``lib:`` under ``requires``: ``/lib/reasoning/x@^1.0``; without a range any version will do."""
    try:
        found: tuple[Path, VersionRange | None] = built("path", text, BUILD, start="requirement")
    except UnexpectedInput as error:
        return path_problem(error, text, "required library", 'write it as "/lib/reasoning/x@^1.0"')
    path, _ = found
    if not path.is_library:
        help = "name a path under /lib, only libraries are required"
        return Problem(f"{quoted(str(path))} is no library", help, Span(0, len(str(path))))
    return found


def path_problem(error: UnexpectedInput, text: str, what: str, help: str) -> Problem:
    """What a person needs to know of a parse of ``path.lark`` that failed."""
    offset, expected = expectation(error, _WORDS, length=len(text))
    found = quoted(text[offset]) if offset < len(text) else "its end"
    reason = f"{found} stands where {expected} is expected" if expected else f"{found} is out of place"
    return Problem(
        f"the {what} {quoted(text)} cannot be read: {reason}", help, Span(offset, min(offset + 1, len(text)))
    )


def reference_problem(text: str) -> Problem:
    """Why a reference is `INVALID`, for the diagnostic that says so."""
    whole = Span(0, len(text))
    match = _STATIC.match(text)
    if match and match["path"]:
        path = Path(tuple(match["path"][1:].split("/")))
        if path.segments[0] == "self" and match.end() == len(text) and len(path.segments) == 1:
            return Problem('"/self" names nothing', 'write "/self/" and the rest of the path', whole)
        if path.segments[0] == "self" and text[match.end("path") : match.end("path") + 1] in ("@", "?"):
            return Problem(f"{quoted(text)} has a version or a query, which only libraries take", "drop it", whole)
        if match["version"] and not path.is_library:
            return Problem(
                f"{quoted(text)} has a version, and only libraries have versions",
                'drop the "@v…", or name a path under /lib',
                Span(match.end("path"), match.end()),
            )
    if not text.startswith("/") and len(text.split()) > 1:
        help = "write one name, and put commas between the names of a list"
        return Problem(f"the reference {quoted(text)} is more than one word", help, whole)
    try:
        built("path", text, BUILD, start="reference")
    except UnexpectedInput as error:
        return path_problem(error, text, "reference", _reference_help(text))
    return Problem(f"{quoted(text)} is no reference", _reference_help(text), whole)


def _reference_help(text: str) -> str:
    if "?" in text and text.startswith("/"):
        return 'write the query as "?name=value&name=value", each value URL-encoded or exactly one template'
    if "@" in text:
        return 'put the version on the last segment, as "@v1" or "@v1.2.0"'
    return "write a full path (/main/x), an id of this subgraph, /self/… or a template"
