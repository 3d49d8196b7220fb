"""Checks of port, host names and API keys."""

from __future__ import annotations

import errno
import ipaddress
import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

from ...contract.problems import Problem
from ...settings import Settings
from ...web.middleware.keys import Keys
from .finding import Diagnosis

# addresses that stand for all of the machine's, each with the one to contact it by
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
ANSWER_SECONDS = 3.0
DEFAULT_NAMES = set(Settings.model_fields["allowed_hosts"].default)


def port(settings: Settings) -> Iterator[Diagnosis]:
    """Whether the port is free. A running Gradoscope server on it is fine too."""
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(1)
            yield Diagnosis("port", "ok", f"{where} is free" if settings.port else "a free one is taken")
            return
        except OSError as error:
            reason, code = error.strerror or str(error), error.errno
    if code == errno.EADDRINUSE and _is_ours(settings):
        yield Diagnosis("port", "ok", f"a Gradoscope answers at {where}")
    elif code == errno.EADDRINUSE:
        yield Diagnosis(
            "port", "wrong", f"{where} is taken by another program", "Set GRADOSCOPE_PORT; 0 takes a free one"
        )
    else:
        yield Diagnosis("port", "wrong", f"{where}: {reason}", "Set GRADOSCOPE_HOST and GRADOSCOPE_PORT")


def host_names(settings: Settings) -> Iterator[Diagnosis]:
    """Whether the allowed host names fit the address that it listens on."""
    names = ", ".join(settings.allowed_hosts) or "none"
    if not settings.allowed_hosts:
        yield Diagnosis("host names", "wrong", "it answers under no name", "Set GRADOSCOPE_ALLOWED_HOSTS")
    elif _is_loopback(settings.host):
        yield Diagnosis("host names", "ok", f"it listens on {settings.host}, and answers as {names}")
    elif "*" in settings.allowed_hosts:
        remedy = "Name them in GRADOSCOPE_ALLOWED_HOSTS, or pages of strangers can reach it through a visitor's browser"
        yield Diagnosis("host names", "attention", "it answers under any name", remedy)
    elif settings.host in WILDCARDS and set(settings.allowed_hosts) <= DEFAULT_NAMES:
        detail = f"it listens on {settings.host}, and answers only as {names}"
        remedy = "Where others are to reach it: GRADOSCOPE_ALLOWED_HOSTS, with the name that they use"
        yield Diagnosis("host names", "attention", detail, remedy)
    else:
        yield Diagnosis("host names", "ok", f"it listens on {settings.host}, and answers as {names}")


def keys(settings: Settings) -> Iterator[Diagnosis]:
    """Whether API keys are on, and their file can be read. Reports only how many there are."""
    if settings.keys is None:
        if _is_loopback(settings.host):
            yield Diagnosis("API keys", "ok", "nobody is asked for one")
        else:
            remedy = "Set GRADOSCOPE_KEYS, unless all who can reach it may use it"
            yield Diagnosis(
                "API keys", "attention", f"nobody is asked for one, and it listens on {settings.host}", remedy
            )
        return
    try:
        found = Keys(settings.keys)
    except Problem as problem:
        yield Diagnosis("API keys", "wrong", problem.detail, "A line is name:key, with a key of 16 characters or more")
        return
    detail = f"{len(found)} in {settings.keys}"
    if settings.keys.stat().st_mode & 0o004:
        yield Diagnosis("API keys", "attention", f"{detail}, which everybody can read", f"chmod o= {settings.keys}")
    else:
        yield Diagnosis("API keys", "ok", detail)


def _is_ours(settings: Settings) -> bool:
    host = WILDCARDS.get(settings.host, settings.host)
    address = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/healthz"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # contact only this machine
    with suppress(OSError, ValueError), opener.open(address, timeout=ANSWER_SECONDS) as reply:
        return bool(json.loads(reply.read(1024)) == {"status": "alive"})
    return False


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
