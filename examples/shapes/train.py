"""Train a small CNN on pictures made by code, and save it in the two ways in which people save a model of their own.

    python train.py                # 60 to 90 seconds on two CPU cores; never more than three minutes of training
    python train.py --help

Each picture holds one shape (a ring, a cross, a triangle, …) in one of its four quadrants, of any size and colour,
tilted to either side, on a clouded background among blobs that mean nothing. The class is the kind of shape; the
network is not told where it is. So an attribution map can be checked: it should lie in the quadrant where the
shape was drawn.

Written beside this file (or into `--out`):
    shapes.safetensors   the tensors alone
    shapes.pth           a checkpoint as training scripts leave it: epoch, state_dict with `module.` names, optimizer
    labels.txt           a class a line, in the order of the logits
    pictures/            a few pictures to try
    training.json        what came out: validation accuracy, epochs, seconds, threads
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchvision.models import resnet18

LABELS = ("ring", "cross", "triangle", "star", "stripes", "dots", "chevron")
QUADRANTS = ("top-left", "top-right", "bottom-left", "bottom-right")
SIDE = 128  # of a picture, in pixels
INPUT = 64  # of what the network is given: resnet18's last feature map is then 2×2, a cell for each quadrant
MEAN = STD = 0.5  # it is given (pixels / 255 - 0.5) / 0.5


# --- Pictures -------------------------------------------------------------------------------------------------------


def make_picture(rng: np.random.Generator, label: int, quadrant: int) -> Image.Image:
    """An RGB picture of SIDE×SIDE with the shape of class `label` in `quadrant` (0 … 3, see QUADRANTS)."""
    picture = background(rng)
    for _ in range(rng.integers(2, 6)):
        add_blob(picture, rng)
    size = int(rng.integers(40, 59))
    low, high = 2, SIDE // 2 - size - 2  # the whole shape lies inside its quadrant
    x = int(rng.integers(low, high + 1)) + SIDE // 2 * (quadrant % 2)
    y = int(rng.integers(low, high + 1)) + SIDE // 2 * (quadrant // 2)
    around = np.asarray(picture.crop((x, y, x + size, y + size))).mean((0, 1))
    picture.paste(contrasting(rng, around), (x, y), draw_shape(label, rng.uniform(-30, 30), size))
    return picture


def background(rng: np.random.Generator) -> Image.Image:
    """Clouds of three sizes around a colour."""
    field = np.tile(rng.uniform(60, 195, 3), (SIDE, SIDE, 1))
    for cells, strength in ((2, 30), (6, 15), (32, 8)):
        coarse = (rng.normal(128, strength, (cells, cells, 3))).clip(0, 255).astype(np.uint8)
        field += np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) - 128.0
    return Image.fromarray(field.clip(0, 255).astype(np.uint8))


def add_blob(picture: Image.Image, rng: np.random.Generator) -> None:
    """A disc, a rectangle or a line somewhere: it says nothing about the class."""
    draw = ImageDraw.Draw(picture)
    x, y = rng.integers(0, SIDE, 2).tolist()
    width, height = rng.integers(5, 16, 2).tolist()
    colour = tuple(rng.integers(0, 256, 3).tolist())
    kind = rng.integers(3)
    if kind == 0:
        draw.ellipse((x, y, x + width, y + height), fill=colour)
    elif kind == 1:
        draw.rectangle((x, y, x + width, y + height), fill=colour)
    else:
        angle, length = rng.uniform(0, 2 * math.pi), rng.integers(8, 30)
        draw.line((x, y, x + length * math.cos(angle), y + length * math.sin(angle)), fill=colour, width=2)


def contrasting(rng: np.random.Generator, around: np.ndarray) -> tuple[int, ...]:
    """A colour that differs from its surroundings."""
    while True:
        colour = rng.integers(0, 256, 3)
        if np.abs(colour - around).sum() > 220:
            return tuple(colour.tolist())


def draw_shape(label: int, angle: float, size: int) -> Image.Image:
    """A mask of size×size with the shape turned by `angle` degrees; drawn larger first, for smooth edges."""
    mask = Image.new("L", (256, 256))
    draw = ImageDraw.Draw(mask)
    name, middle = LABELS[label], 128
    if name == "ring":
        draw.ellipse((12, 12, 244, 244), outline=255, width=38)
    elif name == "cross":
        draw.rectangle((110, 10, 146, 246), fill=255)
        draw.rectangle((10, 110, 246, 146), fill=255)
    elif name == "triangle":
        draw.polygon(corners(middle, 122, 3), fill=255)
    elif name == "star":
        outer, inner = corners(middle, 124, 5), corners(middle, 60, 5, turn=36)
        draw.polygon([point for pair in zip(outer, inner, strict=True) for point in pair], fill=255)
    elif name == "stripes":
        for x in (40, 110, 180):
            draw.rectangle((x, 40, x + 36, 216), fill=255)
    elif name == "dots":
        for x, y in corners(middle, 90, 5):
            draw.ellipse((x - 32, y - 32, x + 32, y + 32), fill=255)
    else:  # a chevron
        draw.line([(36, 70), (middle, 190), (220, 70)], fill=255, width=44, joint="curve")
    return mask.rotate(angle, Image.Resampling.BILINEAR).resize((size, size), Image.Resampling.BILINEAR)


def corners(middle: float, radius: float, count: int, turn: float = 0) -> list[tuple[float, float]]:
    """Corners of a regular polygon, the first at the top."""
    angles = [math.radians(turn + 360 * i / count - 90) for i in range(count)]
    return [(middle + radius * math.cos(a), middle + radius * math.sin(a)) for a in angles]


def seen(picture: Image.Image) -> np.ndarray:
    """What the network sees of a picture: it is resized. The card says the same in its [input] table."""
    return np.asarray(picture.resize((INPUT, INPUT), Image.Resampling.BILINEAR))


def make_set(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures (count, 3, INPUT, INPUT) of bytes, and their classes; each class and quadrant equally often."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(LABELS)
    quadrants = np.arange(count) // len(LABELS) % 4
    pictures = [seen(make_picture(rng, int(label), int(q))) for label, q in zip(labels, quadrants, strict=True)]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), torch.from_numpy(labels)


# --- Training -------------------------------------------------------------------------------------------------------


def normalised(pictures: Tensor) -> Tensor:
    return ((pictures.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def accuracy(network: nn.Module, pictures: Tensor, labels: Tensor) -> float:
    network.eval()
    right = 0
    for batch, truth in zip(pictures.split(70), labels.split(70), strict=True):
        right += int((network(normalised(batch)).argmax(1) == truth).sum())
    return right / len(labels)


def train(
    network: nn.Module, learning: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor], given: argparse.Namespace
) -> tuple[torch.optim.Optimizer, dict[str, float]]:
    """AdamW with a rate that rises shortly and then decays to nothing (one cycle).

    Ends when the validation accuracy is `enough`, when the epochs are done, or when the seconds are over.
    """
    pictures, labels = learning
    batch = 32
    steps = len(labels) // batch
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=2e-3, total_steps=given.epochs * steps, pct_start=0.15
    )
    begun = time.monotonic()
    outcome: dict[str, float] = {}
    for epoch in range(1, given.epochs + 1):
        network.train()
        for chosen in torch.randperm(len(labels))[: steps * batch].split(batch):
            if time.monotonic() - begun > given.seconds:
                break
            shown = pictures[chosen]
            if torch.rand(()) < 0.5:
                shown = shown.flip(3)  # left and right: another quadrant, the same class
            loss = cross_entropy(network(normalised(shown)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        right, seconds = accuracy(network, *validation), time.monotonic() - begun
        outcome = {"validation": right, "epochs": epoch, "seconds": seconds}
        print(f"epoch {epoch} of {given.epochs}: validation {right:.1%}, {seconds:.0f} s", flush=True)
        if right >= given.enough or seconds > given.seconds:
            break
    return optimizer, outcome


# --- Saving ---------------------------------------------------------------------------------------------------------


def save(folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer, epoch: float) -> None:
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, folder / "shapes.safetensors")
    checkpoint = {
        "epoch": epoch,
        "state_dict": {f"module.{name}": value for name, value in tensors.items()},  # as nn.DataParallel names them
        "optimizer": optimizer.state_dict(),
    }
    torch.save(checkpoint, folder / "shapes.pth")
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n", "utf-8")


def save_pictures(folder: Path, seed: int) -> None:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    for label, name in enumerate(LABELS):
        quadrant = label % 4
        make_picture(rng, label, quadrant).save(folder / f"{name}-{QUADRANTS[quadrant]}.png")


def main() -> None:
    arguments = argparse.ArgumentParser(description="Train a small CNN on pictures made by code.")
    arguments.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder for the results")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--threads", type=int, default=2, help="CPU threads")
    arguments.add_argument("--pictures", type=int, default=2800, help="pictures to learn from")
    arguments.add_argument("--epochs", type=int, default=4)
    arguments.add_argument("--enough", type=float, default=0.99, help="validation accuracy that ends the training")
    arguments.add_argument("--seconds", type=float, default=180, help="time that ends the training")
    given = arguments.parse_args()

    given.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(given.seed)
    torch.set_num_threads(given.threads)
    print("making pictures …", flush=True)
    learning, validation = make_set(given.pictures, given.seed), make_set(420, given.seed + 1_000_000)
    network = resnet18(num_classes=len(LABELS)).to(memory_format=torch.channels_last)
    optimizer, outcome = train(network, learning, validation, given)
    save(given.out, network, optimizer, outcome["epochs"])
    save_pictures(given.out / "pictures", given.seed + 2_000_000)
    outcome |= {"threads": given.threads, "seed": given.seed}
    (given.out / "training.json").write_text(json.dumps(outcome) + "\n", "utf-8")
    print(f"validation accuracy {outcome['validation']:.1%} after {outcome['seconds']:.0f} s; saved in {given.out}")


if __name__ == "__main__":
    main()
