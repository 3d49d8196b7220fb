"""ASGI middleware: access control, limits, security headers, access log."""
