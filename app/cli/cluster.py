"""The option --cluster [ADDRESS], for commands that can compute on a Ray cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from ..contract.problems import Unprocessable
from ..service.executor import Executor
from ..settings import Settings

OPTION, AUTO = "--cluster", "auto"
ADDRESS = re.compile(r"auto|[\w.-]+:\d+|\[[0-9a-fA-F:.]+\]:\d+")
Address = Annotated[
    str | None,
    typer.Option(
        OPTION,
        metavar="[ADDRESS]",
        help="Compute on a Ray cluster: HOST:PORT of its head; without an address the one of this machine, which is "
        "started where there is none",
    ),
]


def add_default_address(arguments: Sequence[str]) -> list[str]:
    """`arguments` with a default address after each --cluster that has none. The next argument is taken as an address
    only if it looks like one."""
    completed = list(arguments)
    for index in range(len(completed) - 1, -1, -1):
        if completed[index] == OPTION and not ADDRESS.fullmatch((*completed, "")[index + 1]):
            completed.insert(index + 1, AUTO)
    return completed


def require_ray() -> None:
    """Raise `Unprocessable` if Ray is not installed."""
    try:
        import ray.serve  # noqa: F401
    except ImportError as error:
        raise Unprocessable("--cluster needs Ray Serve: pip install 'gradoscope[cluster]'") from error


def executor(address: str, settings: Settings) -> Callable[[Settings], Executor]:
    """A function that makes executors on the cluster at `address`. This process joins the cluster now."""
    require_ray()
    from ..service.cluster.executor import ClusterExecutor
    from ..web.cluster_app import ClusterConnection

    cluster = ClusterConnection(settings, address)
    return lambda settings: ClusterExecutor(settings, cluster.connect, cluster.leave)
