"""Labels are told by the web process: asking for them takes no place in the queue of the worker."""

from __future__ import annotations

import asyncio

from gradoscope.web.routes.catalogue import classes

from tests.support.contract import catalogue


class NoJobs:
    async def catalogue(self):
        return catalogue().model_copy(update={"labels": {"net": ("tiger cat", "dog", "cat")}})


def test_classes_need_no_job():
    answer = asyncio.run(classes(None, NoJobs(), "net", query="cat", limit=2))
    assert answer == {"classes": [{"index": 2, "label": "cat"}, {"index": 0, "label": "tiger cat"}]}


def test_labels_are_not_in_the_json():
    catalogue = asyncio.run(NoJobs().catalogue())
    assert "labels" not in catalogue.to_dict()
    assert "labels" not in catalogue.model_dump()
