"""The classes that `--target` names: by index, label, synset id, or the name of each picture's folder."""

from __future__ import annotations

import pytest
from gradoscope.contract.problems import NotFound, Unprocessable
from gradoscope.evaluation.targets import Targets, folder_class, resolve
from gradoscope.settings import Settings
from gradoscope.zoo.catalogue import Catalogue
from gradoscope.zoo.labels import imagenet, synsets
from torchvision.models import get_model_weights

LITE0 = "efficientnet_lite0"
LABELS = ("cat", "tabby, tabby cat", "7", "crane", "crane", "fire engine", "seven", "eight", "nine")
IMAGENET = imagenet(1000)


@pytest.fixture(scope="module")
def zoo():
    made = Catalogue(Settings())
    made.read()
    return made


@pytest.mark.parametrize(
    ("name", "index"),
    [("0", 0), ("cat", 0), ("CAT", 0), ("tabby cat", 1), ("tabby, tabby cat", 1), ("fire_engine", 5), ("8", 8)],
)
def test_a_folder_is_named_by_index_or_label(name, index):
    assert folder_class(name, "m", LABELS) == index


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("crane", "2 classes «crane».*3 .crane., 4 .crane."),
        ("7", "folder «7»: of m it may be class 7, or by its label 2 .7."),
        ("dog", "no class «dog»"),
        ("9", "class 9 is outside 0 … 8"),
        ("-1", "class -1 is outside"),
    ],
)
def test_an_ambiguous_or_unknown_name_is_refused(name, says):
    with pytest.raises(Unprocessable, match=says):
        folder_class(name, "m", LABELS)


def test_a_number_that_is_its_own_label_is_not_ambiguous():
    digits = tuple(map(str, range(10)))
    assert [folder_class(name, "m", digits) for name in digits] == list(range(10))


@pytest.mark.parametrize("name", ["n02123045", "n02123045-tabby", "n02123045_tabby"])
def test_a_synset_id_names_a_class_of_imagenet(name):
    for labels in (IMAGENET, tuple(get_model_weights("resnet18").DEFAULT.meta["categories"])):
        assert labels[folder_class(name, "m", labels)].startswith("tabby")


def test_synset_ids_are_only_those_of_imagenet():
    assert len(set(synsets(IMAGENET))) == 1000
    assert synsets(("one",) * 1000) == synsets(LABELS) == ()
    assert synsets((*IMAGENET[:-1], "another")) == ()
    with pytest.raises(Unprocessable, match="no class «n02123045»"):
        folder_class("n02123045", "m", LABELS)
    with pytest.raises(Unprocessable, match="no class «n99999999»"):
        folder_class("n99999999", "m", IMAGENET)


def test_labels_that_are_synset_ids():
    assert folder_class("n02123045", "m", ("n01440764", "n02123045")) == 1


def test_one_class_for_all_pictures(zoo):
    for text in ("285", "Egyptian cat"):
        targets = resolve(text, zoo, [LITE0], {"a.png": "a"})
        assert targets.index(LITE0, "a.png") == 285
        assert not targets.of_folders
    for text in (None, "top"):
        assert resolve(text, zoo, [LITE0], {}) == Targets()
        assert resolve(text, zoo, [LITE0], {}).index(LITE0, "a.png") is None


def test_folders_say_the_classes_of_each_model(zoo):
    folders = {"282/a.png": "282", "n03345487/b.png": "n03345487", "espresso/c.png": "espresso"}
    targets = resolve("folder", zoo, [LITE0, "resnet18"], folders)
    for model in (LITE0, "resnet18"):
        assert [targets.index(model, picture) for picture in folders] == [282, 555, 967]


def test_every_folder_without_a_class_is_named(zoo):
    names = ["cat", "crane", *(f"unknown {k}" for k in range(5))]
    folders = {f"{name}/{k}.png": name for name in names for k in range(2)}
    with pytest.raises(Unprocessable) as refused:
        resolve("folder", zoo, [LITE0], folders)
    detail = refused.value.detail
    assert "no class «cat»" in detail
    assert "2 classes «crane»" in detail
    assert "«unknown 2»" in detail
    assert "(2 pictures) And 2 more folders. With --target folder" in detail
    assert "«unknown 3»" not in detail


@pytest.mark.parametrize("text", ["crane", "no such class", "1000", "-1"])
def test_an_unknown_class_for_all_is_refused(zoo, text):
    with pytest.raises(Unprocessable, match=r"target: .*(crane|no such class|1000|-1)"):
        resolve(text, zoo, [LITE0], {})


def test_an_unknown_model_is_refused(zoo):
    with pytest.raises(NotFound):
        resolve("folder", zoo, ["nonsense"], {"a.png": "282"})
