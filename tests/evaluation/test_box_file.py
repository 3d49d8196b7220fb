"""The file of boxes: its columns, its names, and what is refused with the line that is wrong."""

from __future__ import annotations

import pytest
from gradoscope.attribution.metrics.boxes import Box
from gradoscope.contract.problems import Unprocessable
from gradoscope.evaluation.box_file import read_boxes

PICTURES = ("a/cat.jpg", "b/cat.jpg", "dog.jpg")


@pytest.fixture
def read(tmp_path):
    def read(text: str | bytes, pictures=PICTURES):
        file = tmp_path / "boxes.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_boxes(file, pictures)

    return read


def test_boxes_by_picture(read):
    found = read(
        "\ufeffwidth,Picture, height,x,y,label\n10,a/cat.jpg,20,1.5,2,cat\n3,./dog.jpg,4,0,0,dog\n\n"
        "5,a\\cat.jpg,6,7,8,\n"
    )
    assert found.by_picture == {
        "a/cat.jpg": (Box(1.5, 2, 10, 20), Box(7, 8, 5, 6)),
        "dog.jpg": (Box(0, 0, 3, 4),),
    }
    assert found.left_out == ""


def test_a_file_name_is_enough_where_one_picture_has_it(read):
    found = read("picture,x,y,width,height\ndog.jpg,0,0,1,1\n", ("deep/er/dog.jpg", "cat.jpg"))
    assert found.by_picture.keys() == {"deep/er/dog.jpg"}
    with pytest.raises(Unprocessable, match=r"2 pictures are called cat.jpg: a/cat.jpg, b/cat.jpg"):
        read("picture,x,y,width,height\ncat.jpg,0,0,1,1\n")


def test_pictures_that_are_not_here_are_told(read):
    rows = "".join(f"other/{k}.jpg,0,0,1,1\n" for k in range(7))
    found = read(f"picture,x,y,width,height\ndog.jpg,0,0,1,1\nc/dog.jpg,0,0,1,1\n{rows}")
    assert found.by_picture.keys() == {"dog.jpg"}
    assert found.left_out.startswith("Boxes of pictures that are not here: c/dog.jpg, other/0.jpg")
    assert found.left_out.endswith("other/3.jpg and 3 more.")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column picture, x, y, width, height"),
        ("picture,x,y,w,h\ndog.jpg,0,0,1,1\n", "no column width, height; it needs picture, x, y, width, height"),
        ("picture,x,y,width,height\ndog.jpg,0,0,1\n", "line 2 needs picture, x, y"),
        ("picture,x,y,width,height\n,0,0,1,1\n", "line 2 needs picture"),
        ("picture,x,y,width,height\ndog.jpg,0,0,1,1\ndog.jpg,0,a,1,1\n", "line 3: 0, a, 1, 1 are not four numbers"),
        ("picture,x,y,width,height\ndog.jpg,0,0,0,1\n", "line 2: a box has x and y of 0 or more"),
        ("picture,x,y,width,height\ndog.jpg,-1,0,1,1\n", "line 2: a box has x and y"),
        ("picture,x,y,width,height\ndog.jpg,nan,0,1,1\n", "line 2: a box has x and y"),
        ("picture,x,y,width,height\ndog.jpg,0,0,inf,1\n", "line 2: a box has x and y"),
        ('picture,x,y,width,height\n"dog.jpg,0,0,1,1\n', "is no CSV"),
        ("picture,x,y,width,height\nbird.jpg,0,0,1,1\n", "no box of any of the 3 pictures.*a/cat.jpg.*of bird.jpg"),
        ("picture,x,y,width,height\n", "no box of any of the 3 pictures"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
    ],
)  # fmt: skip
def test_a_faulty_file_is_refused_with_its_line(read, text, says):
    with pytest.raises(Unprocessable, match=f"boxes: boxes.csv: .*{says}"):
        read(text)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(Unprocessable, match=r"boxes: none\.csv: it cannot be read"):
        read_boxes(tmp_path / "none.csv", PICTURES)
