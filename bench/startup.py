"""How long the program takes to start, apart from any load: --version, imports, /ready."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time


def version_ms(rounds: int) -> float:
    """Median milliseconds of ``hermes-router --version``, from start to exit."""
    return statistics.median(_timed([sys.executable, "-m", "hermes_router", "--version"]) for _ in range(rounds))


def bare_python_ms(rounds: int) -> float:
    """The same for a Python that does nothing: what no program in it can go below."""
    return statistics.median(_timed([sys.executable, "-c", ""]) for _ in range(rounds))


def import_ms(module: str, rounds: int) -> float:
    """Median milliseconds that importing ``module`` takes, all it imports included (-X importtime: microseconds)."""
    return statistics.median(_import_us(module) for _ in range(rounds)) / 1000


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - began) * 1000


def _import_us(module: str) -> int:
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    shown = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stderr
    total = 0
    for line in shown.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        if own.strip().isdigit():
            # What Python loads anyway comes before; "site" is its last.
            total = 0 if rest.rpartition("|")[2].strip() == "site" else total + int(own)
    return total
