"""Diagrams as one HTML page: the picture, details on a click, search, findings; nothing is loaded from anywhere.

Documents are not trusted. Texts reach the page as escaped text or inside a JSON block that cannot end its element, and
the page's policy runs one script, the one with the hash of ours.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from html import escape
from typing import Any

from agentic_dsl.cli.drawing import labels, svg
from agentic_dsl.cli.drawing.page_script import PAGE_SCRIPT
from agentic_dsl.cli.drawing.page_style import PAGE_STYLE
from agentic_dsl.cli.drawing.scene import Scene, lay_out
from agentic_dsl.cli.output import plural
from agentic_dsl.compiler.diagram import Block, Diagram, Item
from agentic_dsl.diagnostics import DiagnosticRecord


def draw_page(diagram: Diagram) -> str:
    """The diagram as a page of its own.

    Raises:
        UsageError: the diagram is too large for a picture.
    """
    scene = lay_out(diagram)
    style = PAGE_STYLE + svg.style()
    title = escape(labels.heading(diagram))
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(style)}">',
            '<meta name="referrer" content="no-referrer">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            *_header(title),
            "<main>",
            *_stage(diagram, scene),
            "<aside>",
            '<section id="details" aria-live="polite" aria-label="Details"></section>',
            *_findings(diagram),
            *_legend(diagram),
            "</aside>",
            "</main>",
            f'<script type="application/json" id="diagram">{_json(diagram_record(diagram))}</script>',
            f"<script>{PAGE_SCRIPT}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def diagram_record(diagram: Diagram) -> dict[str, Any]:
    """A diagram as JSON data: what the page's script works on, and what ``--format json`` prints."""
    return {
        "title": diagram.title,
        "blocks": [
            {
                "path": block.path,
                "signature": block.signature,
                "single": block.single,
                "findings": list(block.findings),
            }
            for block in diagram.blocks
        ],
        "items": [
            {
                "key": item.key,
                "kind": item.kind.value,
                "name": item.name,
                "type": item.type,
                "block": item.block,
                "line": item.line,
                "writes": list(item.writes),
                "critical": item.critical,
                "findings": list(item.findings),
                "fields": item.fields or {},
            }
            for item in diagram.items
        ],
        "ways": [
            {
                "source": way.source,
                "target": way.target,
                "kind": way.kind.value,
                "label": way.label,
                "critical": way.critical,
                "closing": way.closing,
            }
            for way in diagram.ways
        ],
        "findings": list(diagram.findings),
    }


def _policy(style: str) -> str:
    """What the page may do: apply this style, run this script, and nothing else; above all, load nothing."""
    return (
        f"default-src 'none'; script-src '{_hash(PAGE_SCRIPT)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(record: dict[str, Any]) -> str:
    """JSON in ASCII that holds no ``<``, ``>`` or ``&``, so that nothing in it ends the element that it stands in."""
    text = json.dumps(record, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _header(title: str) -> Iterator[str]:
    yield "<header>"
    yield f"<h1>{title}</h1>"
    yield '<label for="search">Search</label>'
    yield '<input id="search" type="search" autocomplete="off" placeholder="id, type, text (press /)">'
    yield '<output id="matches" for="search"></output>'
    yield '<button id="zoom-in" type="button" aria-label="Zoom in">+</button>'
    yield '<button id="zoom-out" type="button" aria-label="Zoom out">−</button>'
    yield '<button id="fit" type="button">Fit</button>'
    yield "</header>"


def _stage(diagram: Diagram, scene: Scene) -> Iterator[str]:
    about = f"Graph of {plural(len(diagram.items), 'item')}. Arrow keys move it, plus and minus zoom, 0 fits it."
    yield f'<div id="stage" tabindex="0" role="region" aria-label="{about}">'
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {scene.width} {scene.height}" '
        f'data-width="{scene.width}" data-height="{scene.height}" role="group" aria-label="Nodes">'
    )
    yield from svg.picture(diagram, scene, interactive=True)
    yield "</svg>"
    yield "</div>"


def _findings(diagram: Diagram) -> Iterator[str]:
    """Every finding; those about an item lead to it."""
    found = diagram.all_findings
    yield '<section id="findings" aria-labelledby="findings-heading">'
    yield f'<h2 id="findings-heading">{plural(len(found), "finding")}</h2>'
    yield "<ol>"
    for record in diagram.findings:
        yield f"<li>{_finding(record)}</li>"
    holders: tuple[Block | Item, ...] = (*diagram.blocks, *diagram.items)
    for holder in holders:
        for record in holder.findings:
            text = _finding(record)
            if isinstance(holder, Item):
                text = f'<button type="button" data-key="{holder.key}">{text}</button>'
            yield f"<li>{text}</li>"
    yield "</ol>"
    yield "</section>"


def _finding(record: DiagnosticRecord) -> str:
    sign = labels.SIGNS[record["severity"]]
    place = f"line {record['line']}"
    text = escape(labels.readable(record["message"], 300))
    return f'<span class="code">{sign} {record["code"]}</span> {text} <span class="faint-text">{place}</span>'


def _legend(diagram: Diagram) -> Iterator[str]:
    yield '<section aria-labelledby="legend-heading">'
    yield '<h2 id="legend-heading">Legend</h2>'
    yield "<ul>"
    for name, paint in svg.legend_types(diagram):
        swatch = f'<g class="t-{paint.name}"><rect x="1" y="1" width="12" height="12" rx="3"/></g>'
        yield f'<li><svg class="swatch" width="14" height="14" aria-hidden="true">{swatch}</svg>{escape(name)}</li>'
    for sort, meaning in svg.LEGEND:
        line = f'<path class="way {sort}" d="M0 7h40"/>'
        yield f'<li><svg class="swatch" width="40" height="14" aria-hidden="true">{line}</svg>{escape(meaning)}</li>'
    yield "</ul>"
    yield "</section>"
