"""Weight files: where they are stored, whether they are there, and whether their hash is right."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..contract.problems import Problem
from ..contract.wire import WireModel
from ..settings import Settings

Availability = Literal["ready", "downloadable", "missing"]
PIN = "pin.json"


class WeightsMissing(Problem):
    """A model's weights are not on this machine; the detail says how to get them."""

    status = 409
    title = "Weights not here"


class WrongWeights(Problem):
    """A weight file has the wrong hash. It is never loaded."""

    status = 502
    title = "Wrong weights"


@dataclass(frozen=True)
class Hub:
    """A file in a repository of the Hugging Face hub."""

    repository: str
    file: str = "model.safetensors"


@dataclass(frozen=True)
class WeightFile:
    """One file of weights.

    `name` is its path in the weights folder, or any path if it is `local` (a package's or a user's file, which is never
    downloaded). `sha256` is its hash or the beginning of it; empty if unknown.
    """

    name: str
    url: str = ""
    sha256: str = ""
    size: int | None = None
    local: bool = False
    hub: Hub | None = None
    revision: str | None = None

    @property
    def file(self) -> str:
        return Path(self.name).name

    def pinned(self, revision: str, sha256: str, size: int | None) -> WeightFile:
        """The same file, fixed to one commit of its repository."""
        assert self.hub is not None
        return replace(
            self,
            name=f"hub/{self.hub.repository}/{revision}/{self.hub.file}",
            url=f"https://huggingface.co/{self.hub.repository}/resolve/{revision}/{self.hub.file}",
            revision=revision,
            sha256=sha256,
            size=size,
        )


class Location(WireModel):
    """Where the weights of a model are kept, and whether they are there."""

    file: WeightFile
    ready: bool


class Weights:
    """The folder of downloaded weights; also finds files in the caches of torch.hub and huggingface_hub."""

    def __init__(self, settings: Settings) -> None:
        self.folder, self.offline = settings.weights, settings.offline
        self._hashes: dict[tuple[str, int, int], str] = {}

    def with_pinned_revision(self, file: WeightFile) -> WeightFile:
        """`file` at the commit that was saved at its first download, if its card names none."""
        if file.hub is None or file.revision is not None:
            return file
        try:
            pin = json.loads(self.pin_path(file).read_text("utf-8"))
            return file.pinned(pin["revision"], pin["sha256"], pin.get("size"))
        except (OSError, ValueError, KeyError):
            return file

    def pin_path(self, file: WeightFile) -> Path:
        assert file.hub is not None
        return self.folder / "hub" / file.hub.repository / PIN

    def path(self, file: WeightFile) -> Path:
        """The path where the file belongs."""
        return Path(file.name) if file.local else self.folder / file.name

    def find(self, file: WeightFile) -> Path | None:
        """The path where the file is; None if it is not on this machine."""
        file = self.with_pinned_revision(file)
        if file.hub is not None and file.revision is None:
            return None
        for path in (self.path(file), *_in_caches(file)):
            if path.is_file():
                return path
        return None

    def availability(self, file: WeightFile) -> Availability:
        if self.find(file):
            return "ready"
        return "missing" if file.local or self.offline else "downloadable"

    def require(self, file: WeightFile, model: str) -> Path:
        """The path where the file is. Raises `WeightsMissing` with what to do."""
        path = self.find(file)
        if path is None:
            raise WeightsMissing(self.remedy(file, model), field="model")
        return path

    def remedy(self, file: WeightFile, model: str) -> str:
        """What to do if a file is missing."""
        file = self.with_pinned_revision(file)
        folder = short_path(self.path(file).parent)
        if file.local:
            return (
                f"{model}: the weight file {file.file} is not in {folder}. Put it there, or correct `file` in the card."
            )
        origin = file.url or f"https://huggingface.co/{file.hub.repository if file.hub else ''}"
        by_hand = f"put {file.file} from {origin} into {folder}/"
        if self.offline:
            if file.hub is not None and file.revision is None:
                by_hand = f"pull it on a machine with a network, and copy {short_path(self.folder / 'hub')}/ from there"
            return f"{model}: the weights are not here, and nothing is downloaded (GRADOSCOPE_OFFLINE): {by_hand}."
        return f"{model}: the weights are not here. Run «gradoscope models pull {model}», or {by_hand}."

    def sha256(self, path: Path) -> str:
        """The file's hash; computed again only if the file has changed."""
        stat = path.stat()
        key = (str(path), stat.st_mtime_ns, stat.st_size)
        if key not in self._hashes:
            with path.open("rb") as file:
                self._hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._hashes[key]

    def verified(self, file: WeightFile, path: Path, model: str) -> str:
        """The hash of the file at `path`. Raises `WrongWeights` if it is not the expected one, or the file is
        unreadable."""
        try:
            expected, found = self.with_pinned_revision(file).sha256, self.sha256(path)
        except OSError as error:
            raise WrongWeights(
                f"{model}: {path.name} cannot be read ({error.strerror}). This process runs as another user, perhaps: "
                f"chmod a+r {path.name}.",
                field="model",
            ) from error
        if not found.startswith(expected) and file.local:
            raise WrongWeights(
                f"{model}: {path.name} is not what it should be: its SHA-256 is {found}, the card states {expected}. "
                "Put the right file there, or correct `sha256` in the card.",
                field="model",
            )
        if not found.startswith(expected):
            raise WrongWeights(
                f"{model}: {path.name} is not what it should be: its SHA-256 begins with "
                f"{found[: len(expected)][:16]}, expected {expected[:16]}. Delete {short_path(path)} and get it again.",
                field="model",
            )
        return found


def short_path(path: Path) -> str:
    """A path as text, with ~ for the home folder."""
    home = str(Path.home())
    text = str(path)
    return f"~{text[len(home) :]}" if home != "/" and text.startswith(f"{home}{os.sep}") else text


def _in_caches(file: WeightFile) -> list[Path]:
    """Where torch.hub or huggingface_hub may have stored the same file. Its hash is checked like our own."""
    if file.local or not file.sha256:
        return []
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    if file.hub is None:
        home = Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser()
        return [home / "hub" / "checkpoints" / file.file]
    home = Path(os.environ.get("HF_HOME", cache / "huggingface")).expanduser()
    hub = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()
    repository = f"models--{file.hub.repository.replace('/', '--')}"
    return [hub / repository / "snapshots" / str(file.revision) / file.hub.file]
