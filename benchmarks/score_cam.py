"""What Score-CAM takes beside its forward passes: forwards per second against plain inference. `make bench-score-cam`

ResNet-50 with random weights, in batches of the same size, both sides in turns (A B A B …). Plain inference is the
network alone on pictures that lie ready; Score-CAM makes its masks, and its map after each micro-batch, on the way.
Prints forwards per second and their ratio; the exit status is 1 where Score-CAM takes more than 1.3 times as long.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.inspection import inspection_of
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.score import Score
from torch import Tensor
from torchvision.models import resnet50

from tests.support.nets import sample_pixels

GOAL = 1.3


def resnet() -> Classifier:
    torch.manual_seed(0)
    network = resnet50()
    return Classifier(network, size=(224, 224), labels=[str(number) for number in range(1000)]).use_channels_last()


def plain(classifier: Classifier, pictures: Tensor, forwards: int) -> float:
    """Seconds of `forwards` passes of the network alone, len(pictures) at a time."""
    began = time.perf_counter()
    with torch.inference_mode():
        for start in range(0, forwards, len(pictures)):
            classifier.network(pictures[: forwards - start])
    return time.perf_counter() - began


def score_cam(classifier: Classifier, picture: Tensor, forwards: int, batch: int) -> float:
    """Seconds of a map of Score-CAM with as many passes."""
    engine = Engine(classifier, Score(0), micro_batch=batch)
    began = time.perf_counter()
    found = find_method("score_cam").run(engine, picture, channels=forwards - 1)
    seconds = time.perf_counter() - began
    assert found.diagnostics["forward_evaluations"] == forwards
    return seconds


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--forwards", type=int, default=129, help="passes of a round, at most 2049")
    options.add_argument("--batch", type=int, default=16)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = options.parse_args()
    classifier = resnet().to(arguments.device)
    inspection_of(classifier)  # made once for a model, not for a map
    picture = sample_pixels("cat").to(arguments.device)
    pictures = classifier.to_memory_format(picture.expand(arguments.batch, *picture.shape))
    sides: tuple[list[float], list[float]] = ([], [])
    for round in range(-1, arguments.rounds):  # the first warms up
        found = (
            plain(classifier, pictures, arguments.forwards),
            score_cam(classifier, picture, arguments.forwards, arguments.batch),
        )
        for seconds, side in zip(found, sides, strict=True):
            if round >= 0:
                side.append(seconds / arguments.forwards)
    alone, ours = map(median, sides)
    ratio = median(b / a for a, b in zip(*sides, strict=True))
    print(f"{arguments.device}, {torch.get_num_threads()} threads, batches of {arguments.batch}")
    print(f"plain inference {1 / alone:.1f} forwards/s, Score-CAM {1 / ours:.1f} forwards/s, ratio {ratio:.2f}")
    return int(ratio > GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
