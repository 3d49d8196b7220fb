"""Which results of an interrupted run the next run takes over."""

from __future__ import annotations

import json

import pytest
from gradoscope.contract.problems import Problem
from gradoscope.pipeline.resume import ResultCache, ResultFolder, hash_of, picture_mark, require_writable, write_file

ABOUT = ({"methods": ("grad_cam",), "seed": 3}, {"net": "f00"}, {"gradoscope": "1"})
# what version 0.9 computed for ABOUT and the picture b"a", and for one map
PICTURE = "4f856ed734601c2317052c83026f171d88e6ff9a77f4e542d4c5b3b05cb0ab94"
MAP = "fe65400d0a7343212bf0e8647eccb361172e9614"


def test_results_of_earlier_versions_are_recognised(tmp_path):
    assert picture_mark(b"a", ABOUT) == PICTURE
    folder = tmp_path / "cat.jpg"
    folder.mkdir()
    (folder / "explanation.json").write_text(json.dumps({"mark": PICTURE}))
    assert ResultFolder(folder).holds(picture_mark(b"a", ABOUT))
    assert not ResultFolder(folder).holds(picture_mark(b"b", ABOUT))
    mark = hash_of("map", "hash", (("net", "f00"), {"size": (8, 8)}, "logit"), ("grad_cam", {}), 3, 0)
    (tmp_path / MAP[:2]).mkdir()
    (tmp_path / MAP[:2] / f"{MAP[2:]}.json").write_text('{"found": 1}')
    assert ResultCache(tmp_path).read(mark) == {"found": 1}


def test_a_damaged_result_is_made_again(tmp_path):
    cache = ResultCache(tmp_path / "parts")
    cache.write(PICTURE, {"found": 1})
    assert cache.read(PICTURE) == {"found": 1}
    (path,) = (tmp_path / "parts").glob("*/*.json")
    path.write_text('{"found"')
    assert cache.read(PICTURE) is None
    (tmp_path / "explanation.json").write_text('{"mark"')
    assert ResultFolder(tmp_path).mark is None


def test_a_file_that_could_not_be_written_leaves_the_one_before(tmp_path):
    write_file(tmp_path / "a", b"before")
    with pytest.raises(TypeError):
        write_file(tmp_path / "a", "no bytes")  # type: ignore[arg-type]
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"before")]


def test_a_result_that_cannot_be_written_whole_leaves_nothing(tmp_path):
    def files():
        yield "explanation.json", b"{}"
        raise OSError(28, "No space left on device")

    with pytest.raises(Problem, match=r"cat\.jpg cannot be written: No space left on device"):
        ResultFolder(tmp_path / "cat.jpg").write(files())
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_refused_before_computing(tmp_path):
    """The check itself creates nothing."""
    require_writable(tmp_path / "new" / "folder")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Problem, match="cannot be written"):
        require_writable(tmp_path / "file" / "folder")
