"""Reads checkpoints without running code in them, and matches their tensors to a network's names."""

from __future__ import annotations

import pickle
import re
import warnings
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..attribution.memory import out_of_memory
from .cards import CardError

EMA = ("ema", "average")
IGNORED = ("num_batches_tracked", "n_averaged")  # training counters, ignored
MAX_LISTED = 3  # names listed for each kind of mismatch


class MismatchedWeights(Exception):
    """The tensors do not fit the network; the message names them."""


class BrokenCheckpoint(Exception):
    """The tensors fit the network, but hold NaN or infinity; the message names them."""


@dataclass(frozen=True)
class MatchedStateDict:
    """Tensors under the network's own names, and where they were found in the checkpoint."""

    tensors: dict[str, Tensor]
    key: str
    prefix: str
    others: tuple[str, ...]  # keys of other fitting parts of the checkpoint


def read_nested(path: Path, card: str) -> Mapping[str, Any]:
    """The content of a file: tensors by name, maybe nested. Raises `CardError`; no code in the file is ever run."""
    try:
        _check_first_bytes(path)
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about TorchScript files; they are refused below
            found = torch.load(path, weights_only=True, map_location="cpu", mmap=_can_be_mapped(path))
    except FileNotFoundError as error:
        raise CardError(f"{card}: {path.name} is not there.") from error
    except OSError as error:
        if out_of_memory(error):
            raise
        raise CardError(f"{card}: {path.name} cannot be read ({error.strerror or error}).") from error
    except Exception as error:
        if out_of_memory(error):
            raise
        raise CardError(f"{card}: {path.name} {_reason(error)}") from error
    if not isinstance(found, Mapping):
        raise CardError(f"{card}: {path.name} holds a {type(found).__name__}, not tensors by name.")
    return found


def _reason(error: Exception) -> str:
    """Why a file cannot be read as weights, and what to do."""
    message = str(error)
    if "TorchScript" in message:
        return "is a TorchScript file: save model.state_dict() instead."
    kind = re.search(r"(?:GLOBAL|type|class|function) ([\w.]*\w)", message)
    if isinstance(error, pickle.UnpicklingError) and kind:
        return (
            f"holds Python objects besides tensors ({kind[1]}), and reading those can run code, so it is not read. "
            "Save the tensors alone: torch.save(model.state_dict(), …), or better a .safetensors file."
        )
    if isinstance(error, _NotWeights):
        return message
    return f"cannot be read as weights: it is damaged or not whole ({type(error).__name__}). Copy or save it again."


class _NotWeights(Exception):
    """The first bytes show that a file does not hold weights."""


def _check_first_bytes(path: Path) -> None:
    with path.open("rb") as file:
        first_bytes = file.read(64)
    if not first_bytes:
        raise _NotWeights("cannot be read as weights: it is empty. Copy or save it again.")
    if first_bytes.startswith(b"version https://git-lfs"):
        raise _NotWeights("cannot be read as weights: it is a pointer of Git LFS. Fetch the file itself: git lfs pull.")


def read_checkpoint(path: Path, card: str) -> dict[str, Tensor]:
    """The tensors of a file with a plain state dict, with the versions of their modules. Raises `CardError`."""
    found = read_nested(path, card)
    tensors = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    return with_versions(tensors, getattr(found, "_metadata", None))


def with_versions(tensors: Mapping[str, Tensor], versions: object) -> dict[str, Tensor]:
    """`tensors` as a state dict with the versions of its modules: some modules (MNASNet) do not load without them."""
    state = OrderedDict(tensors)
    if versions is not None:
        state._metadata = versions  # type: ignore[attr-defined]
    return state


def match_state_dict(
    expected: Mapping[str, Tensor], checkpoint: Mapping[str, Any], key: str | None = None, prefix: str | None = None
) -> MatchedStateDict:
    """The part of a checkpoint that fits `expected`, renamed to its names.

    Parts are searched under every key (`state_dict`, `model`, `model_ema` …) and with any prefix of the names
    (`module.`, `model.`, `_orig_mod.` …). If several fit, the first that is not a moving average is used; `key`
    selects another. Raises `MismatchedWeights` with what the best part lacks, `BrokenCheckpoint` if the fitting part
    holds NaN or infinity.
    """
    parts = dict(_parts(checkpoint))
    if key is not None:
        if key not in parts:
            raise MismatchedWeights(
                f"there are no tensors under the key «{key}»; there are some under: {_listed(parts)}"
            )
        parts = {key: parts[key]}
    if prefix and not any(name.startswith(prefix) for tensors in parts.values() for name in tensors):
        others = {_prefix(expected, tensors) for tensors in parts.values()} - {""}
        hint = f"; «{min(others)}» would fit" if others else "; leave `prefix` out"
        raise MismatchedWeights(f"no name begins with «{prefix}»{hint}")
    fitting: dict[str, tuple[dict[str, Tensor], str]] = {}
    mismatched: list[tuple[int, str]] = []
    for name, tensors in parts.items():
        found_prefix = _prefix(expected, tensors) if prefix is None else prefix
        renamed = {n.removeprefix(found_prefix): t for n, t in tensors.items() if n.startswith(found_prefix)}
        mismatches, count = _mismatches(expected, renamed)
        if not count:
            _refuse_broken(expected, renamed)
            fitting[name] = renamed, found_prefix
        mismatched.append((count, f"{_place(name)}{mismatches}"))
    if not fitting:
        raise MismatchedWeights(min(mismatched)[1] if mismatched else "there are no tensors in it")
    chosen = min(fitting, key=lambda name: any(word in name.lower() for word in EMA))
    renamed, found_prefix = fitting[chosen]
    tensors = {name: renamed.get(name, value) for name, value in expected.items()}
    return MatchedStateDict(tensors, chosen, found_prefix, tuple(name for name in fitting if name != chosen))


def _parts(checkpoint: Mapping[str, Any], key: str = "", depth: int = 3) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every mapping in a checkpoint that holds tensors, with the path to it."""
    tensors = {name: value for name, value in checkpoint.items() if isinstance(value, Tensor)}
    if tensors:
        yield key, tensors
    for name, value in checkpoint.items():
        if isinstance(value, Mapping) and depth:
            yield from _parts(value, f"{key}.{name}" if key else str(name), depth - 1)


def _prefix(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """The prefix of the checkpoint's names that makes most of them equal to the network's names."""
    votes: Counter[str] = Counter()
    ends = {name: name.split(".") for name in expected}
    by_last: dict[str, list[str]] = {}
    for name, parts in ends.items():
        by_last.setdefault(".".join(parts[-2:]), []).append(name)
    for name in given:
        for expected_name in by_last.get(".".join(name.split(".")[-2:]), ()):
            if name == expected_name or name.endswith(f".{expected_name}"):
                votes[name.removesuffix(expected_name)] += 1
    return max(votes, key=lambda prefix: (votes[prefix], -len(prefix))) if votes else ""


def _mismatches(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> tuple[str, int]:
    """All mismatches between the tensors, in words, and their number."""
    missing = [name for name in expected if name not in given and not name.endswith(IGNORED)]
    unexpected = [name for name in given if name not in expected and not name.endswith(IGNORED)]
    common = [name for name in expected if name in given]
    shapes = [
        f"{name} is {tuple(given[name].shape)}, the network has {tuple(expected[name].shape)}"
        for name in common
        if given[name].shape != expected[name].shape
    ]
    problems = [
        f"{len(names)} {what} ({_listed(names)})"
        for names, what in (
            (missing, "tensors are missing"),
            (unexpected, "tensors are too many"),
            (shapes, "have another shape"),
        )
        if names
    ]
    if len(shapes) in (1, 2) and not missing and not unexpected and (rows := _last_rows(expected, given)):
        problems.append(f"the weights are of {rows[0]} classes, the card is of {rows[1]}")
    return "; ".join(problems), len(missing) + len(unexpected) + len(shapes)


def _refuse_broken(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    floats = [name for name in expected if name in given and given[name].is_floating_point()]
    broken = [name for name in floats if not given[name].isfinite().all()]
    if broken:
        raise BrokenCheckpoint(f"{len(broken)} tensors hold NaN or infinity ({_listed(broken)})")


def _last_rows(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> tuple[int, int] | None:
    """The numbers of classes in the last matrix of checkpoint and network; None if they are equal."""
    last = [name for name in expected if expected[name].ndim >= 2][-1]
    counts = len(given[last]), len(expected[last])
    return counts if counts[0] != counts[1] else None


def _listed(names: Any) -> str:
    names = [str(name) or "the file itself" for name in names]
    return ", ".join(names[:MAX_LISTED]) + (", …" if len(names) > MAX_LISTED else "")


def _place(key: str) -> str:
    return f"under «{key}» " if key else ""


def _can_be_mapped(path: Path) -> bool:
    """Whether it is a ZIP archive of torch: then its tensors can be memory-mapped instead of copied."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"
