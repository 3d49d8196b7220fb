"""Which address counts as the client."""

from __future__ import annotations

import asyncio

import pytest
from gradoscope.web.middleware.proxy_headers import ProxyHeadersMiddleware


def asked(peer, forwarded=(), trusted=(), **headers):
    """What the application gets in the request's scope: its state, and the scheme."""
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope["state"], scheme=scope["scheme"])

    raw = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "scheme": "http", "client": peer and (peer, 1234), "headers": raw}
    asyncio.run(ProxyHeadersMiddleware(app, trusted)(scope, None, None))
    return seen


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "client"),
    [
        ("10.0.0.1", [], [], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4"], [], "10.0.0.1"),  # no proxy is trusted
        ("10.0.0.2", ["1.2.3.4"], ["10.0.0.1"], "10.0.0.2"),
        ("10.0.0.1", ["1.2.3.4"], ["10.0.0.1"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4"], ["10.0.0.1"], "1.2.3.4"),  # the left part may be forged
        ("10.0.0.1", ["6.6.6.6", "1.2.3.4"], ["10.0.0.1"], "1.2.3.4"),
        ("10.0.0.1", ["1.2.3.4, 10.0.0.9"], ["10.0.0.0/24"], "1.2.3.4"),
        ("10.0.0.1", ["10.0.0.8, 10.0.0.9"], ["10.0.0.0/24"], "10.0.0.8"),
        ("10.0.0.1", ["1.2.3.4, nonsense"], ["10.0.0.1"], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4:5678"], ["10.0.0.1"], "1.2.3.4"),
        ("10.0.0.1", ["[2001:db8:1:2::3]:5678"], ["10.0.0.1"], "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", [], [], "2001:db8:1:2::/64"),  # one client may use all addresses of its /64
        ("::ffff:1.2.3.4", [], [], "1.2.3.4"),
        ("::1", [], [], "::1"),
        ("::1", ["1.2.3.4"], ["::1"], "1.2.3.4"),
        ("fe80::1%eth0", [], [], "fe80::/64"),
        ("testclient", ["1.2.3.4"], ["0.0.0.0/0"], "testclient"),
        (None, [], [], ""),
    ],
)
def test_client(peer, forwarded, trusted, client):
    assert asked(peer, forwarded, trusted)["client"] == client


def test_a_trusted_proxy_sets_the_scheme():
    assert asked("10.0.0.1", [], ["10.0.0.1"], x_forwarded_proto="https")["scheme"] == "https"
    assert asked("10.0.0.1", [], ["10.0.0.1"], x_forwarded_proto="javascript")["scheme"] == "http"
    assert asked("10.0.0.1", x_forwarded_proto="https")["scheme"] == "http"
