"""A local S3 for tests, by moto, with environment variables that point to it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

BUCKET = "explanations"


@contextmanager
def object_store() -> Iterator[str]:
    """Runs it and yields its address. It has an empty bucket; credentials and endpoint are in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel("ERROR")
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port()).replace("0.0.0.0", "127.0.0.1")
    environment = {
        "AWS_ACCESS_KEY_ID": "an-access-key",
        "AWS_SECRET_ACCESS_KEY": "a-secret-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
    }
    try:
        with mock.patch.dict(os.environ, environment):
            client = boto3.client("s3")
            client.create_bucket(Bucket=BUCKET)
            client.close()
            yield url
    finally:
        server.stop()
