"""The option --cluster [ADDRESS] of the commands that can compute on a Ray cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from ..contract.problems import Unprocessable
from ..service.executor import Executor
from ..settings import Settings

OPTION, ANYWHERE = "--cluster", "auto"
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


def addressed(arguments: Sequence[str]) -> list[str]:
    """`arguments` with an address for each --cluster that has none: what follows it is one only if it looks so."""
    given = list(arguments)
    for place in range(len(given) - 1, -1, -1):
        if given[place] == OPTION and not ADDRESS.fullmatch((*given, "")[place + 1]):
            given.insert(place + 1, ANYWHERE)
    return given


def require() -> None:
    """Raise `Unprocessable` where Ray is not installed."""
    try:
        import ray.serve  # noqa: F401
    except ImportError as error:
        raise Unprocessable("--cluster needs Ray Serve: pip install 'gradoscope[cluster]'") from error


def executor(address: str, settings: Settings) -> Callable[[Settings], Executor]:
    """Executors on that cluster, which this process joins now."""
    require()
    from ..service.cluster.executor import ClusterExecutor
    from ..web.cluster_app import ClusterConnection

    cluster = ClusterConnection(settings, address)
    return lambda settings: ClusterExecutor(settings, cluster.connect, cluster.leave)
