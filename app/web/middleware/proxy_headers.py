"""Finds the address that a request comes from, also behind reverse proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
IPV6_PREFIX = 64  # bits of the prefix: one client owns all IPv6 addresses with the same prefix


class ProxyHeadersMiddleware:
    """ASGI middleware: sets `request.state.client`; X-Forwarded-For and -Proto count only from proxies in `trusted`."""

    def __init__(self, app: ASGIApp, trusted: Iterable[str] = ()) -> None:
        self.app = app
        self.trusted = [ipaddress.ip_network(network, strict=False) for network in trusted]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            peer = (scope.get("client") or ("",))[0]
            address = parse(peer)
            if address is not None and self._trusts(address):
                headers = Headers(scope=scope)
                address = self._forwarded(headers, address)
                if headers.get("x-forwarded-proto") in ("http", "https"):
                    scope["scheme"] = headers["x-forwarded-proto"]
            scope.setdefault("state", {})["client"] = peer if address is None else network_of(address)
        await self.app(scope, receive, send)

    def _forwarded(self, headers: Headers, peer: Address) -> Address:
        """The last hop that is not a trusted proxy: entries before it may be forged."""
        address = peer
        for hop in reversed(",".join(headers.getlist("x-forwarded-for")).split(",")):
            forwarded = parse(hop.strip())
            if forwarded is None:
                break
            address = forwarded
            if not self._trusts(address):
                break
        return address

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.trusted)


def parse(text: str) -> Address | None:
    """Parse an address with or without a port; None if it is invalid."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def network_of(address: Address) -> str:
    """The address or network that counts as one client."""
    if isinstance(address, ipaddress.IPv6Address) and not address.is_loopback:
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)
