"""``agentic-dsl config``: the settings in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from agentic_dsl.cli.options import SETTING_OF_FIELD, FormatOption, QuietOption, output_of
from agentic_dsl.cli.settings import CACHE_DIR, DEFAULT_MODEL, MODEL, MODELS_DIR, SETTINGS, Settings

app = typer.Typer(no_args_is_help=True, help="Show the settings in force.")


@app.callback()
def _group() -> None:
    """Show the settings in force."""


@app.command("show")
def show(format: FormatOption = None, quiet: QuietOption = False) -> None:
    """Print every setting, its value, and where the value comes from."""
    settings = Settings.load()
    output = output_of(settings, format, quiet)
    defaults = _defaults_elsewhere()
    rows = []
    for setting in SETTINGS:
        value = settings.value(setting)
        rows.append((setting, defaults.get(setting.name) if value is None else value, settings.origin(setting)))
    if output.json:
        output.record(
            {
                "settings": [
                    {
                        "name": setting.name,
                        "value": _plain(value),
                        "origin": origin.kind,
                        "where": origin.where,
                        "variable": setting.variable,
                        "doc": setting.doc,
                    }
                    for setting, value, origin in rows
                ]
            }
        )
        return
    width = max(len(setting.name) for setting in SETTINGS)
    output.lines(
        [(f"{setting.name:<{width}} ", "bold"), (f"= {_word(value)}", ""), (f"  ({origin})", "dim")]
        for setting, value, origin in rows
    )


def _defaults_elsewhere() -> dict[str, Any]:
    """Defaults that the library has, not the command line."""
    from agentic_dsl.constraints import Constraints
    from agentic_dsl.runtime.folders import cache_folder, models_folder

    fields = Constraints.model_fields
    return {
        MODEL.name: DEFAULT_MODEL,
        CACHE_DIR.name: cache_folder(),
        MODELS_DIR.name: models_folder(),
    } | {setting.name: fields[field].default for field, setting in SETTING_OF_FIELD.items()}


def _plain(value: Any) -> Any:
    """The value as JSON data."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _word(value: Any) -> str:
    if value is None or value == ():
        return "unset"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
