"""Processes of the bench: started, pinned to a core, metered, and ended. Linux only: /proc and per-process clocks."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)


class Process:
    """A program and all it starts. ``stop`` ends exactly those."""

    def __init__(
        self, command: list[str], cpu: int, *, env: Mapping[str, str] | None = None, cwd: Path | None = None, log: Path
    ) -> None:
        self.log = log
        with log.open("wb") as out:
            self._popen = subprocess.Popen(
                ["taskset", "-c", str(cpu), *command],
                env=None if env is None else dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self._seen: dict[int, float] = {}

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def cpu(self) -> float:
        """User and system seconds of the tree so far; a process that has ended keeps its last reading."""
        for pid in self.tree():
            self._seen[pid] = max(self._seen.get(pid, 0.0), _cpu_of(pid))
        return sum(self._seen.values())

    def memory(self) -> float:
        """Resident megabytes of the tree, shared pages included."""
        return sum(_rss_of(pid) for pid in self.tree())

    def tree(self) -> list[int]:
        """The process and its descendants."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (parent := _parent_of(entry)):
                children.setdefault(parent, []).append(int(entry.name))
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += children.get(pid, [])
        return found

    def stop(self) -> None:
        tree = self.tree()
        for sign, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 2.0)):
            if not self.running:
                return
            for pid in tree:
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    continue
            try:
                self._popen.wait(patience)
            except subprocess.TimeoutExpired:
                continue


class PeakMemory:
    """The most memory a process used while the block ran: ``with PeakMemory(process) as peak: ...; peak.mb``."""

    def __init__(self, process: Process) -> None:
        self.mb = 0.0
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            self.mb = max(self.mb, self._process.memory())


def machine_busy() -> float:
    """Core-seconds that the whole machine has worked since it was started."""
    fields = [int(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def compile_c(source: Path, into: Path) -> Path:
    """Compile one C file. Raises SystemExit where there is no compiler, or it fails."""
    program = into / source.stem
    try:
        subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    except FileNotFoundError:
        raise SystemExit(
            "bench: no C compiler (cc) here. The load must be faster than what it measures: install one."
        ) from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"bench: {source.name} does not compile (exit status {error.returncode}).") from None
    return program


def _cpu_of(pid: int) -> float:
    """Nanosecond clock of a process (clock_getcpuclockid(3)): user and system time, ended threads included."""
    clock = ctypes.c_int()
    if _LIBC.clock_getcpuclockid(pid, ctypes.byref(clock)):
        return 0.0
    try:
        return time.clock_gettime(clock.value)
    except OSError:
        return 0.0


def _rss_of(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _parent_of(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0
