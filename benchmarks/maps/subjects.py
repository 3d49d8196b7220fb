"""What is measured: a network as the product loads it, the same one as users of other libraries have it, a picture."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torchvision.models as tv
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.inspection import inspection_of
from gradoscope.attribution.score import Score
from gradoscope.images.decode import decode
from gradoscope.images.preprocess import preprocess
from gradoscope.images.samples import read_sample
from gradoscope.settings import Settings
from gradoscope.zoo.zoo import Zoo
from safetensors.torch import save_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "bench"  # weights, references and results: ignored by git, gone with `make clean`
REAL = "efficientnet_lite0"  # its weights come with the install; the others have seeded random ones


@dataclass(frozen=True)
class Effort:
    """Samples and steps of a sampled method, and rounds of a measurement."""

    count: int
    rounds: int


# Large networks get fewer samples and steps: the time of one does not depend on how many there are (see `growth`).
MODELS = {
    REAL: Effort(50, 5),
    "mobilenet_v3_large": Effort(50, 4),
    "resnet50": Effort(50, 3),
    "densenet121": Effort(16, 3),
    "vgg16": Effort(10, 3),
}


@dataclass(frozen=True)
class Subject:
    """A model, twice: `classifier` is the product's; `theirs` has the same weights, in PyTorch's usual memory layout.

    `x` is the picture, (3, H, W) in [0, 1]; `layer` is Grad-CAM's.
    """

    name: str
    settings: Settings
    classifier: Classifier
    theirs: Classifier
    x: Tensor
    target: int
    layer: str
    _exact: list[Classifier] = field(default_factory=list, repr=False)

    @property
    def device(self) -> torch.device:
        return self.classifier.device

    @property
    def score(self) -> Score:
        """As the pipeline has it for a request that names none."""
        return Score(self.target, multilabel=self.classifier.multilabel)

    @property
    def exact(self) -> Classifier:
        """`theirs` in float64."""
        if not self._exact:
            self._exact.append(copy.deepcopy(self.theirs).double())
        return self._exact[0]

    def forget_exact(self) -> None:
        self._exact.clear()


def load(name: str, picture: str = "cat") -> Subject:
    """The subject of a model's name, its weights from the install or drawn here; GRADOSCOPE_DEVICE, GRADOSCOPE_THREADS
    and GRADOSCOPE_MICRO_BATCH count as for the product."""
    folder = WORK / "models"
    folder.mkdir(parents=True, exist_ok=True)
    if name != REAL:
        draw(name, folder)
    settings = Settings(models=folder)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    zoo = Zoo(settings)
    spec = zoo.spec(name)
    classifier = zoo.load(name).classifier
    network = spec.build(zoo.weights.require(spec.weights, name))  # a second one: the product may change its own
    theirs = as_others_use_it(network, classifier)
    x = torch.from_numpy(preprocess(decode(read_sample(picture), settings.max_pixels), spec.input).pixels)
    return subject(name, settings, classifier, theirs, x.to(classifier.device))


def subject(name: str, settings: Settings, classifier: Classifier, theirs: Classifier, x: Tensor) -> Subject:
    with torch.no_grad():
        target = int(classifier(x[None])[0].argmax())
    return Subject(name, settings, classifier, theirs, x, target, str(inspection_of(classifier).default_layer))


def as_others_use_it(network: torch.nn.Module, like: Classifier) -> Classifier:
    """`network` with the normalisation of `like`: in eval mode, without gradients of its parameters, NCHW."""
    return Classifier(
        network.float(),
        size=like.size,
        labels=like.labels,
        mean=like.mean.flatten().tolist(),
        std=like.std.flatten().tolist(),
        id=like.id,
    ).to(like.device)


def draw(name: str, folder: Path) -> None:
    """Write seeded random weights of one of torchvision's networks, with a card."""
    weights = folder / f"{name}.safetensors"
    if not weights.exists():
        torch.manual_seed(0)
        save_file(tv.get_model(name, weights=None).state_dict(), weights)
    (folder / f"{name}.toml").write_text(
        f'title = "{name}"\narchitecture = "torchvision:{name}"\nclasses = 1000\n\n'
        f'[source]\nkind = "file"\nfile = "{weights.name}"\n',
        "utf-8",
    )
