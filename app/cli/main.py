"""The command line: gradoscope serve | explain | evaluate | flow | lab | models | methods | doctor"""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ..contract.problems import Problem
from ..contract.version import VERSION
from ..contract.wire import JsonObject
from ..service.threads import share_cores
from ..settings import BadSettings, Settings, read_settings
from ..zoo.library_imports import import_without_compiler
from . import cluster as cli_cluster
from . import evaluate as cli_evaluate
from . import explain as cli_explain
from . import flow as cli_flow
from . import lab as cli_lab
from . import models as cli_models
from .doctor import command as cli_doctor

app = typer.Typer(
    name="gradoscope",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="An instrument for looking at gradients.",
)
app.add_typer(cli_models.app, name="models")
console = Console()
TRY_DEVICE = "import sys, torch; torch.ones(1, device=sys.argv[1]).sum().item()"


def main() -> None:
    """Entry point of the console command. A problem is printed, and the exit code is 2."""
    share_cores()
    import_without_compiler()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file's name, or a sign, that the terminal's encoding does not have
            stream.reconfigure(errors="backslashreplace")
    try:
        app(cli_cluster.add_default_address(sys.argv[1:]))
    except Problem as problem:
        Console(stderr=True).print(f"[red]{problem.title}:[/] {escape(problem.detail)}", highlight=False)
        raise SystemExit(2) from problem
    except BadSettings as fault:
        Console(stderr=True).print(f"[red]Cannot start:[/] {escape(str(fault))}", highlight=False)
        raise SystemExit(2) from fault


@app.callback(invoke_without_command=True)
def common(version: Annotated[bool, typer.Option("--version", help="Print the version and end")] = False) -> None:
    if version:
        console.print(VERSION)
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [GRADOSCOPE_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one [GRADOSCOPE_PORT]")] = None,
    models: Annotated[Path | None, typer.Option(help="Folder of your own model cards [GRADOSCOPE_MODELS]")] = None,
    downloads: Annotated[
        str | None, typer.Option(help="What clients may have downloaded: none, cards, any [GRADOSCOPE_DOWNLOADS]")
    ] = None,
    cluster: cli_cluster.Address = None,
) -> None:
    """Start the server: the page at /, the REST interface at /api/v1, its documentation at /docs."""
    from ..service import logs
    from ..service.local_executor import LocalExecutor
    from ..web.application import create_app
    from ..web.server import Server, raise_file_limit, return_freed_memory, uvicorn_config
    from ..zoo.paths import hide_paths

    options = {"host": host, "port": port, "models": models, "downloads": downloads}
    settings = read_settings(**{name: value for name, value in options.items() if value is not None})
    logs.configure(settings.log_format)
    return_freed_memory()
    raise_file_limit()
    if not cluster:
        _check_device(settings.device)
    listener = _listen(settings)
    settings = _allow_own_host(settings)
    web = create_app(settings, cli_cluster.executor(cluster, settings) if cluster else LocalExecutor)
    config = uvicorn_config(web, settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises SIGTERM again when it has stopped
    hide_paths(settings)
    Server(config, web, _address(settings, listener)).run(sockets=[listener])


def _check_device(device: str) -> None:
    """Raise `Problem` if PyTorch does not have the device that is named. Another process asks it, since this one loads
    no PyTorch."""
    if device in ("auto", "cpu"):
        return
    asked = subprocess.run([sys.executable, "-c", TRY_DEVICE, device], capture_output=True, text=True, check=False)
    if asked.returncode:
        reason = (asked.stderr.strip().splitlines() or ["it cannot be used"])[-1]
        raise cannot_start(f"GRADOSCOPE_DEVICE={device}: {reason.rstrip('.')}. Set GRADOSCOPE_DEVICE=auto, or cpu.")


def cannot_start(detail: str) -> Problem:
    problem = Problem(detail)
    problem.title = "Cannot start"
    return problem


def _listen(settings: Settings) -> socket.socket:
    """A socket bound to the address of the settings. Raises `Problem`."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # IPPROTO_TCP is given explicitly: without it asyncio leaves Nagle's algorithm on, which adds 40 ms to each response
    # but the first of a connection.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise cannot_start(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Take another --port."
        ) from error
    return listener


def _allow_own_host(settings: Settings) -> Settings:
    """Add the listening address to the allowed host names, except 0.0.0.0 and ::, which no client sends as a name."""
    if settings.host in ("0.0.0.0", "::", *settings.allowed_hosts):
        return settings
    return settings.model_copy(update={"allowed_hosts": [*settings.allowed_hosts, settings.host]})


def _address(settings: Settings, listener: socket.socket) -> str:
    """The URL to print: one that a browser on this machine can open, with the port that was really taken."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    return f"http://{host}:{listener.getsockname()[1]}"


app.command()(cli_explain.explain)
app.command()(cli_evaluate.evaluate)
app.command()(cli_flow.flow)
app.command()(cli_lab.lab)
app.command()(cli_doctor.doctor)


@app.command()
def methods(as_json: cli_models.AsJson = False) -> None:
    """List the methods, with their parameters, bounds and defaults."""
    from ..attribution.methods.base import methods as registered_methods
    from ..contract.catalogue import Methods
    from ..pipeline.catalogue import describe_method

    if as_json:
        described = [describe_method(method) for method in registered_methods().values()]
        typer.echo(json.dumps(Methods(methods=described).to_dict(), indent=2, ensure_ascii=False))
        return
    for method in registered_methods().values():
        console.print(f"\n[bold]{method.id}[/]  {method.title} ({method.year}) · {method.paper.url}", highlight=False)
        console.print(f"  {method.summary}", highlight=False)
        for name, parameter in method.Parameters.model_json_schema().get("properties", {}).items():
            console.print(
                f"  -o {method.id}.{name}={json.dumps(parameter['default'])}  {_bounds(parameter)}", markup=False
            )


def _bounds(parameter: JsonObject) -> str:
    """The allowed values and the description of a parameter, from its JSON schema."""
    allowed = "|".join(parameter.get("enum", ()))
    low, high = parameter.get("minimum", parameter.get("exclusiveMinimum")), parameter.get("maximum")
    if low is not None and high is not None:
        allowed = f"{low} … {high}"
    return f"[{allowed}] {parameter.get('description', '')}" if allowed else parameter.get("description", "")
