"""Prints how long the router takes from its start to a 200 of /ready, and its memory when idle.

python scripts/startup.py [--rounds 5]

Each round starts `python -m hermes_router serve` on a free port with an empty HERMES_HOME, so with the sandbox. Memory
is the resident set as the system reports it two seconds after /ready (Linux: /proc; elsewhere: ps).
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IDLE_SECONDS = 2.0
READY_WITHIN = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(shown.stdout) / 1024


def one_round() -> tuple[float, float]:
    """(seconds to /ready, megabytes)."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ.get("PATH", ""), "HERMES_HOME": home, "PORT": str(port), "HOST": "127.0.0.1"}
        command = [sys.executable, "-m", "hermes_router", "serve"]
        began = time.perf_counter()
        with subprocess.Popen(
            command, env=env, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as router:
            try:
                while not is_ready(port):
                    if router.poll() is not None or time.perf_counter() - began > READY_WITHIN:
                        sys.exit(f"the router did not become ready (exit status {router.poll()})")
                    time.sleep(0.005)
                seconds = time.perf_counter() - began
                time.sleep(IDLE_SECONDS)
                return seconds, resident_mb(router.pid)
            finally:
                router.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = [one_round() for _ in range(parser.parse_args().rounds)]
    for name, unit, values in (
        ("start to /ready", "s", [seconds for seconds, _ in rounds]),
        ("idle memory", "MB", [memory for _, memory in rounds]),
    ):
        print(f"{name}: median {statistics.median(values):.2f} {unit}, worst {max(values):.2f} {unit}")


if __name__ == "__main__":
    main()
