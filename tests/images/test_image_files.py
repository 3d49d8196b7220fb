"""Which pictures are meant, and where their results go."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradoscope.contract.problems import Unprocessable
from gradoscope.images import image_files
from gradoscope.images.image_files import find_image_files, is_one_file, left_out


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "a/cat.jpg",
        "a/cat.png",
        "a/notes.txt",
        "a/.hidden.jpg",
        "a/deep/DOG.JPEG",
        "a/.git/x.png",
        "b/cat.jpg",
    ):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def placed(*paths, out=None, recursive=False):
    return {
        str(e.path): str(e.folder) for e in find_image_files([Path(p) for p in paths], out and Path(out), recursive)
    }


def test_a_folder_stands_for_its_pictures(here):
    expected = {"a/cat.jpg": "explanations/a/cat.jpg", "a/cat.png": "explanations/a/cat.png"}
    assert placed("a") == placed("a/") == expected
    assert placed("a", out="x") == {"a/cat.jpg": "x/cat.jpg", "a/cat.png": "x/cat.png"}
    assert placed(".", out="x", recursive=True)["a/deep/DOG.JPEG"] == "x/a/deep/DOG.JPEG"


def test_folders_below_count_when_asked_for(here):
    assert placed("a", recursive=True)["a/deep/DOG.JPEG"] == "explanations/a/deep/DOG.JPEG"
    assert len(placed("a", recursive=True)) == 3


def test_several_paths_keep_their_own_names(here):
    actual = placed("a", "b", "a/deep/DOG.JPEG")
    assert actual["a/cat.jpg"] == "explanations/a/cat.jpg"
    assert actual["b/cat.jpg"] == "explanations/b/cat.jpg"
    assert actual["a/deep/DOG.JPEG"] == "explanations/DOG.JPEG"
    Path("link.jpg").symlink_to("a/deep/DOG.JPEG")
    assert placed("link.jpg", "a")["link.jpg"] == "explanations/link.jpg"


def test_a_pattern_that_the_shell_has_left_is_expanded(here):
    assert placed("a/cat.*", out="x") == {"a/cat.jpg": "x/cat.jpg", "a/cat.png": "x/cat.png"}


def test_two_pictures_at_one_place_are_refused(here):
    with pytest.raises(Unprocessable, match="would both go to"):
        placed("a/cat.jpg", "b/cat.jpg")
    assert len(placed("a/cat.jpg", "a/cat.jpg", out="x")) == 1  # the same picture twice is one


def test_results_are_not_explained_themselves(here):
    place = Path("a/results/cat.jpg")
    place.mkdir(parents=True)
    (place / "image.png").touch()
    assert "a/results/cat.jpg/image.png" not in placed("a", out="a/results", recursive=True)
    assert "a/results/cat.jpg/image.png" in placed("a", out="x", recursive=True)


def test_what_is_not_there_is_reported(here):
    for missing in ("c", "a/*.gif"):
        with pytest.raises(Unprocessable, match="There is no file"):
            placed(missing)
    Path("empty/below").mkdir(parents=True)
    with pytest.raises(Unprocessable, match=r"no picture in empty.*--recursive"):
        placed("empty")


def test_one_file_by_itself(here):
    assert is_one_file([Path("a/cat.jpg")])
    assert not any(
        is_one_file([Path(p) for p in paths]) for paths in (("a",), ("a/*.jpg",), ("a/cat.jpg", "b/cat.jpg"))
    )


def test_what_is_passed_over_is_reported(here, monkeypatch):
    monkeypatch.setattr(image_files, "SUFFIXES", frozenset(image_files.READ))
    assert left_out([Path("b")], out=None, recursive=False) == ""
    Path("a/IMG_1.HEIC").touch()
    Path("a/README").touch()
    said = left_out([Path("a")], out=None, recursive=False)
    assert said.startswith("Passed over: files that are no pictures by their names (")
    assert {"1 .txt", "1 .heic", "1 without a suffix"} == set(said[said.index("(") + 1 : said.index(")")].split(", "))
    assert "folders below (1; --recursive takes them too)" in said
    assert said.endswith("HEIC is read where pillow-heif is installed.")
    assert "folders" not in left_out([Path("a")], out=None, recursive=True)
    # results are nothing that was passed over
    assert "folders" not in left_out([Path("a")], out=Path("a/deep"), recursive=False)
    Path("c").mkdir()
    Path("c/notes.md").touch()
    with pytest.raises(Unprocessable, match=r"no picture in c\. Passed over: files .*1 \.md"):
        find_image_files([Path("c")], None, False)
