"""The bench: what the router itself costs, beside nginx doing nothing but proxying, on the same core in the same run.

python bench/run.py [--quick] [--rounds N] [--seconds S] [--only small,burst] [--out DIRECTORY]

Each round measures every target once per load, one after the other, so that whatever else the machine does meets all
of them; the figures are medians over the rounds, ratios are taken within a round. Needs Linux, a C compiler, two cores
and, for the ratios, nginx. Everything listens on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import planning
import startup
from machine import PeakMemory, Process, compile_c, machine_busy
from report import Cell, Results, put_into, short, table
from targets import KEY, Target, free_port, nginx_path, start_nginx, start_router, wait_for
from workloads import Load, loads, small

HERE = Path(__file__).resolve().parent
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "embeddings": "/v1/embeddings"}
RAMP_SECONDS = 2.0


class Bench:
    """One run. ``close`` ends every process it started."""

    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        if len(os.sched_getaffinity(0)) < 2:
            raise SystemExit("bench: needs two cores, one for the target and one for the load.")
        self._options = options
        self._work = work
        self._load = compile_c(HERE / "load.c", work)
        self._upstream_port = free_port()
        mock = compile_c(HERE / "mock.c", work)
        self._load_cpu, self._target_cpu = sorted(os.sched_getaffinity(0))[:2]
        self._upstream = Process([str(mock), str(self._upstream_port)], self._load_cpu, log=work / "mock.log")
        wait_for(self._upstream, self._upstream_port, "/control")
        self.targets: list[Target] = []

    def start(self, number: int) -> None:
        """Start the targets of a round, with nothing learned yet; note what they use before they have done anything."""
        port, cpu = self._upstream_port, self._target_cpu
        self.targets = []
        if nginx_path():
            self.targets.append(start_nginx(self._work / f"nginx-{number}", port, cpu))
        elif number == 1:
            print("bench: nginx is not installed here: no ratios to it (Debian: apt install nginx).")
        for full in (True,) if self._options.quick else (True, False):
            self.targets.append(start_router(self._work / f"router-{number}-{full}", port, cpu, full=full))
        time.sleep(2.0)
        for target in self.targets:
            target.memory["idle"] = target.process.memory()

    def stop(self) -> None:
        """End the targets, and note what they use after all."""
        time.sleep(1.0)
        for target in self.targets:
            target.memory["after"] = target.process.memory()
            target.process.stop()

    def close(self) -> None:
        for process in [*(target.process for target in self.targets), self._upstream]:
            process.stop()

    def measure(self, load: Load, target: Target, number: int) -> Cell:
        self._shape(load)
        if load.how == "closed":
            self._run(load, target, 0.4 if self._options.quick else 1.0)
            self._settle(target)
        before = self._served()
        busy, began = machine_busy(), time.perf_counter()
        ours = self._upstream.cpu() + target.process.cpu() + _children()
        cpu = target.process.cpu()
        with PeakMemory(target.process) as peak:
            shown = self._run(load, target, self._options.seconds)
            self._settle(target)
        used = target.process.cpu() - cpu
        foreign = machine_busy() - busy - (self._upstream.cpu() + target.process.cpu() + _children() - ours)
        took = time.perf_counter() - began
        target.memory[load.name] = max(target.memory.get(load.name, 0.0), peak.mb)
        return Cell(
            load=load.name,
            target=target.name,
            number=number,
            microseconds=used / max(1, self._units(load, shown, before)) * 1e6,
            per_second=(shown["chunks"] if load.unit == "chunk" else shown["answered"]) / shown["seconds"],
            failed=shown["failed"],
            why=shown["why"],
            busy=used / shown["seconds"],
            foreign=max(0.0, foreign / took),
            latency=shown["latency2" if load.how == "rate" else "latency"],
            direct=shown["latency"] if load.how == "rate" else {},
            first=shown["first"],
            late=shown["late"],
        )

    def _units(self, load: Load, shown: dict[str, Any], before: dict[str, int]) -> int:
        """What the upstream really served: an answer from a cache would not count."""
        after = self._served()
        if load.how == "rate":
            return int(shown["latency2"]["n"])
        # A router that has seen slow streams may ask for a stream where its caller wants JSON: that is one answer too.
        names = {"chunk": ("chunks",), "request": ("embeddings",) if load.api == "embeddings" else ("chat", "streams")}
        return sum(after[name] - before[name] for name in names[load.unit])

    def _run(self, load: Load, target: Target, seconds: float) -> dict[str, Any]:
        api, body = load.api, load.body
        if api == "anthropic" and not target.translates:
            api, body = "openai", small('"stream": true' in body)
        head = self._work / "head"
        head.write_bytes(_head(PATHS[api], anthropic=api == "anthropic"))
        (self._work / "body").write_text(body)
        length = RAMP_SECONDS if load.paced else seconds
        ports = [str(self._upstream_port), str(target.port)] if load.how == "rate" else [str(target.port)]
        command = [str(self._load), load.how, str(head), str(self._work / "body"), str(load.connections), str(length)]
        command = ["taskset", "-c", str(self._load_cpu), *command, str(load.chunks), *ports]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        shown: dict[str, Any] = json.loads(done.stdout)
        if not shown["answered"]:
            raise SystemExit(f"bench: {target.name} answered nothing of '{load.name}': {shown['why']}")
        return shown

    def _shape(self, load: Load) -> None:
        self._control(f"/control?chunks={load.chunks or 3}&interval_us={load.interval_us}")

    def _served(self) -> dict[str, int]:
        return self._control("/control")

    def _control(self, path: str) -> dict[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self._upstream_port, timeout=10)
        connection.request("GET", path)
        shown: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return shown

    def _settle(self, target: Target) -> None:
        """Until the target rests, two seconds at most."""
        last = target.process.cpu()
        for _ in range(10):
            time.sleep(0.2)
            now = target.process.cpu()
            if now - last < 0.004:
                return
            last = now


def _head(path: str, *, anthropic: bool) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
        f"authorization: Bearer {KEY}",
    ]
    if anthropic:
        lines.append("anthropic-version: 2023-06-01")
    return "".join(f"{line}\r\n" for line in lines).encode()


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system + times.user + times.system


def measure_loads(bench: Bench, options: argparse.Namespace, results: Results) -> None:
    # A stream's request is part of its cost: short streams would show little else.
    chosen = [load for load in loads(5.0 if options.quick else 20.0) if not options.only or load.name in options.only]
    for number in range(1, options.rounds + 1):
        bench.start(number)
        for load in chosen:
            for target in bench.targets:
                cell = bench.measure(load, target, number)
                results.cells.append(cell)
                print(f"round {number}/{options.rounds}  {cell.line(load)}", flush=True)
        bench.stop()
        for target in bench.targets:
            results.take(target)


def measure_planning(work: Path, results: Results, *, quick: bool) -> None:
    for size in planning.SIZES:
        shown = planning.measure(size, work / f"planning-{size}", 400 if quick else 4000)
        results.planning[str(size)] = shown
        print(f"planning, {size} deployments: " + ", ".join(f"{name} {value:.1f}" for name, value in shown.items()))


def measure_startup(results: Results, *, quick: bool) -> None:
    rounds = 3 if quick else 9
    results.startup = {
        "version_ms": startup.version_ms(rounds),
        "python_ms": startup.bare_python_ms(rounds),
        "import_cli_ms": startup.import_ms("hermes_router.cli.app", rounds),
        "import_server_ms": startup.import_ms("hermes_router.server.run", rounds),
    }
    print(", ".join(f"{name} {value:.0f}" for name, value in results.startup.items()))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round of the router as configured in full")
    parser.add_argument("--rounds", type=int, help="default 3; quick: 1")
    parser.add_argument("--seconds", type=float, help="length of each load but paced streams, default 6; quick: 1.5")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="names of loads, comma-separated")
    parser.add_argument("--out", type=Path, default=HERE, help="where results.json and table.md go")
    parser.add_argument("--table", type=Path, metavar="RESULTS", help="only print the table of an earlier run")
    parser.add_argument("--readme", type=Path, metavar="RESULTS", help="put the table of an earlier run into README.md")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (1.5 if options.quick else 6.0)
    return options


def main() -> None:
    options = read_options()
    if options.table:
        print(table(Results.read(options.table)))
        return
    if options.readme:
        put_into(HERE.parent / "README.md", short(Results.read(options.readme)))
        return
    if sys.platform != "linux":
        raise SystemExit("bench: needs Linux (epoll, /proc, taskset).")
    results = Results.begin()
    with tempfile.TemporaryDirectory(prefix="hermes-bench-") as name:
        work = Path(name)
        if not options.only:
            measure_startup(results, quick=options.quick)
            measure_planning(work, results, quick=options.quick)
        bench = Bench(options, work)
        try:
            measure_loads(bench, options, results)
        finally:
            bench.close()
    options.out.mkdir(parents=True, exist_ok=True)
    results.write(options.out / "results.json")
    shown = table(results)
    (options.out / "table.md").write_text(shown)
    print("\n" + shown)


if __name__ == "__main__":
    main()
