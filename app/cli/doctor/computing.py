"""Checks of device, backends and memory."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from ...settings import Settings
from ...zoo.loader import choose_device
from .finding import Diagnosis, format_bytes

NVIDIA = Path("/proc/driver/nvidia/version")
CGROUP = Path("/sys/fs/cgroup")
BASE_BYTES = 700 * 2**20  # memory of both processes without models
OTHER_FILES = 512  # open files beside connections


def device(settings: Settings) -> Iterator[Diagnosis]:
    """Whether the device works, and whether a better one is unused."""
    try:
        chosen = choose_device(settings.device)
        (torch.ones(8, device=chosen) * 2).sum().item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        remedy = "Set GRADOSCOPE_DEVICE=auto, or cpu; see what there is with python -m torch.utils.collect_env"
        yield Diagnosis("device", "wrong", f"GRADOSCOPE_DEVICE={settings.device}: {reason}", remedy)
        return
    if chosen.type == "cuda":
        gpu = torch.cuda.get_device_properties(chosen)
        detail = (
            f"{gpu.name}, {format_bytes(gpu.total_memory)}, PyTorch {torch.__version__} for CUDA {torch.version.cuda}"
        )
        yield Diagnosis("device", "ok", detail)
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = settings.threads or torch.get_num_threads()
    detail = f"{chosen.type}, {threads} threads on {cores} cores, PyTorch {torch.__version__}"
    if threads > cores:
        yield Diagnosis("device", "attention", detail, f"More threads than cores are slow: GRADOSCOPE_THREADS={cores}")
    elif NVIDIA.exists() and settings.device == "auto":
        cuda_version = torch.version.cuda
        remedy = (
            f"Its driver is too old for CUDA {cuda_version}, perhaps: nvidia-smi tells"
            if cuda_version
            else "This build of PyTorch is for CPUs: install one for CUDA"
        )
        yield Diagnosis("device", "attention", f"{detail}. There is a driver for a GPU, which is not used", remedy)
    else:
        yield Diagnosis("device", "ok", detail)


def acceleration(settings: Settings) -> Iterator[Diagnosis]:
    """Which backends are available (`plain` is eager PyTorch). Each is verified on a model before it is used."""
    backends = ["plain"]
    if settings.acceleration != "none":
        backends.append("folded")
    if settings.acceleration != "auto" or choose_device_type(settings) != "cpu":
        yield Diagnosis("acceleration", "ok", f"{settings.acceleration}: {', '.join(backends)}")
        return
    try:
        from ...attribution.backends.runtime import ov
    except ImportError as error:
        broken = not isinstance(error, ModuleNotFoundError)
        detail = f"OpenVINO cannot be imported: {error}" if broken else "by PyTorch alone: OpenVINO is not installed"
        remedy = "pip install 'gradoscope[fast]' makes gradients on a CPU quicker"
        yield Diagnosis("acceleration", "attention", detail, remedy)
        return
    yield Diagnosis("acceleration", "ok", f"auto: {', '.join([*backends, f'compiled (OpenVINO {ov.__version__})'])}")


def memory(settings: Settings) -> Iterator[Diagnosis]:
    """Whether the memory that the settings allow is available; and the limit of open files."""
    free, where = _free_memory()
    wanted = BASE_BYTES + settings.model_bytes + settings.batch_bytes + settings.picture_bytes + settings.decode_bytes
    detail = f"{format_bytes(free)} free {where}; the settings allow up to {format_bytes(wanted)}"
    if free < wanted:
        remedy = "Lower GRADOSCOPE_MODEL_BYTES, GRADOSCOPE_BATCH_BYTES or GRADOSCOPE_DECODE_BYTES, or give it more"
        yield Diagnosis("memory", "attention", detail, remedy)
    else:
        yield Diagnosis("memory", "ok", detail)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files != resource.RLIM_INFINITY and files < settings.max_connections + OTHER_FILES:
        remedy = f"ulimit -n {settings.max_connections + OTHER_FILES}, or lower GRADOSCOPE_MAX_CONNECTIONS"
        detail = f"{files} may be open at once; {settings.max_connections} connections are allowed"
        yield Diagnosis("open files", "attention", detail, remedy)


def choose_device_type(settings: Settings) -> str:
    """The type of the device; `cpu` if the one that is set does not work."""
    try:
        return choose_device(settings.device).type
    except RuntimeError:
        return "cpu"


def _free_memory() -> tuple[int, str]:
    """Free memory in bytes, and whether it is the machine's or the container's, which may have less."""
    machine = psutil.virtual_memory().available
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):
            left = int((CGROUP / limit).read_text()) - int((CGROUP / used).read_text()) + _cached()
            if left < machine:
                return left, "in this container"
    return machine, "on this machine"


def _cached() -> int:
    """Bytes of file cache in a container's memory, which are freed when needed."""
    with suppress(OSError, ValueError):
        for line in (CGROUP / "memory.stat").read_text().splitlines():
            if line.startswith("inactive_file "):
                return int(line.split()[1])
    return 0
