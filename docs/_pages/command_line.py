"""The reference of the command line, from the help texts of the commands."""

from __future__ import annotations

from collections.abc import Iterator

import click
import typer
from gradoscope.cli.main import app
from tables import table


def command_line_reference() -> str:
    """A section for each command, with its arguments and options."""
    root = typer.main.get_command(app)
    parts = []
    for path, command in _commands(root, "gradoscope"):
        parts.append(f"## {path}\n\n{(command.help or '').strip()}\n")
        rows = [row for parameter in command.params if (row := _row(parameter))]
        if rows:
            parts.append(table(("argument", "default", "meaning"), rows) + "\n")
    return "\n".join(parts)


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from _commands(child, f"{path} {name}")


def _row(parameter: click.Parameter) -> tuple[str, str, str] | None:
    if parameter.name in ("help", "install_completion", "show_completion"):
        return None
    if parameter.param_type_name == "argument":
        return f"`{(parameter.name or '').upper()}`", "", str(getattr(parameter, "help", "") or "")
    default = parameter.default
    shown = "" if default in (None, False, ()) or callable(default) else f"`{default}`"
    return " ".join(f"`{name}`" for name in parameter.opts), shown, str(getattr(parameter, "help", "") or "")
