"""The web application: routes, middleware, OpenAPI, texts."""
