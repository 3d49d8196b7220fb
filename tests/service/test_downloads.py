"""Downloads of weights that requests share."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest
from gradoscope.contract.problems import Unavailable
from gradoscope.service.downloads import MAX_PARALLEL, Downloads
from gradoscope.settings import Settings
from gradoscope.zoo.weights import WeightFile

from tests.support.weight_host import weight_host

DATA = bytes(2**22)
HASH = hashlib.sha256(DATA).hexdigest()
NAMES = [f"net{number}.pth" for number in range(MAX_PARALLEL + 1)]


def test_closing_tells_all_who_wait(tmp_path: Path) -> None:
    """Also those whose download waits for a thread: none is told that its file is there, and none waits for ever."""

    async def close_while_three_wait() -> list[object]:
        downloads = Downloads(Settings(weights=tmp_path, weights_mirror=host.url))
        files = [WeightFile(name, f"https://download.pytorch.org/models/{name}", HASH) for name in NAMES]
        waiting = [asyncio.create_task(downloads.fetch(file, file.name)) for file in files]
        while len(host.asked) < MAX_PARALLEL:
            await asyncio.sleep(0.01)
        downloads.close()
        return await asyncio.gather(*waiting, return_exceptions=True)

    with weight_host() as host:
        host.files, host.pause = {f"/models/{name}": DATA for name in NAMES}, 0.05
        ended = asyncio.run(close_while_three_wait())
    assert [type(end) for end in ended] == [Unavailable] * len(NAMES)
    assert not any((tmp_path / name).exists() for name in NAMES)


@pytest.mark.parametrize("address", ["somehost", "somehost:port"])
def test_address_without_a_port_is_refused_in_words(address: str) -> None:
    pytest.importorskip("ray")
    from gradoscope.web.cluster_app import check_reachable

    with pytest.raises(Unavailable, match="Write HOST:PORT"):
        check_reachable(address)
