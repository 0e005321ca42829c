"""Results of a bench run: kept as JSON, shown as Markdown."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from targets import Target
from workloads import Load, loads


@dataclass
class Cell:
    """One load against one target in one round. ``microseconds`` of CPU per unit; ``busy`` and ``foreign`` in cores:
    the target's, and what strangers used meanwhile. Latencies in milliseconds."""

    load: str
    target: str
    number: int
    microseconds: float
    per_second: float
    failed: int
    why: dict[str, int]
    busy: float
    foreign: float
    latency: dict[str, float]
    direct: dict[str, float]
    first: dict[str, float]
    late: dict[str, float]

    def line(self, load: Load) -> str:
        late = f"  late p99 {self.late['p99']:.1f} ms" if load.paced and self.late.get("n") else ""
        failed = f"  FAILED {self.failed} {self.why}" if self.failed else ""
        return (
            f"{self.load:15} {self.target:6} {self.microseconds:8.1f} us/{load.unit:8} {self.per_second:9.0f}/s"
            f"  strangers {self.foreign:.2f}{late}{failed}"
        )


@dataclass
class Results:
    """Everything one run has shown."""

    machine: dict[str, str]
    cells: list[Cell] = field(default_factory=list)
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    planning: dict[str, dict[str, float]] = field(default_factory=dict)
    startup: dict[str, float] = field(default_factory=dict)

    @classmethod
    def begin(cls) -> Results:
        return cls(
            {
                "at": time.strftime("%Y-%m-%d", time.gmtime()),
                "python": platform.python_version(),
                "system": f"{platform.system()} {platform.machine()}",
                "processor": _processor(),
            }
        )

    @classmethod
    def read(cls, path: Path) -> Results:
        values = json.loads(path.read_text())
        values["cells"] = [Cell(**one) for one in values["cells"]]
        return cls(**values)

    def take(self, target: Target) -> None:
        kept = self.targets.setdefault(target.name, {"title": target.title, "ready_seconds": [], "memory": {}})
        kept["ready_seconds"].append(target.ready_seconds)
        for when, megabytes in target.memory.items():
            kept["memory"].setdefault(when, []).append(megabytes)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def of(self, load: str, target: str) -> list[Cell]:
        return [cell for cell in self.cells if cell.load == load and cell.target == target]

    def median(self, load: str, target: str, value: Callable[[Cell], float]) -> float | None:
        cells = self.of(load, target)
        return statistics.median(value(cell) for cell in cells) if cells else None

    def ratio(self, load: str, target: str) -> float | None:
        """Median over the rounds of what a unit costs, nginx in the same round being 1."""
        base = {cell.number: cell.microseconds for cell in self.of(load, "nginx")}
        ratios = [cell.microseconds / base[cell.number] for cell in self.of(load, target) if base.get(cell.number)]
        return statistics.median(ratios) if ratios else None


def table(results: Results) -> str:
    """All of it as Markdown."""
    parts = [_cost(results), _streams(results), _memory(results), _planning(results), _startup(results)]
    return "\n\n".join([_note(results), *(part for part in parts if part)]) + "\n"


def _note(results: Results) -> str:
    machine = results.machine
    rounds = max((cell.number for cell in results.cells), default=0)
    strangers = statistics.median(cell.foreign for cell in results.cells) if results.cells else 0.0
    return (
        f"{machine['at']}, {machine['processor']}, {machine['system']}, Python {machine['python']}; median of {rounds} "
        f"round{'s' if rounds != 1 else ''}; other programs used {strangers:.2f} cores meanwhile."
    )


README_ROWS = ("small", "messages", "tools", "embeddings", "burst", "paced-300", "messages-300")


def short(results: Results) -> str:
    """What a README has room for: CPU beside nginx, and memory."""
    rows = []
    for load in _measured(results):
        if load.name in README_ROWS:
            cost = [results.median(load.name, name, lambda cell: cell.microseconds) for name in ("nginx", "full")]
            per = [f"{_shown(value, 1)} us/{load.unit}" for value in cost]
            rows.append([load.title, *per, _shown(results.ratio(load.name, "full"), 1, "x")])
    memory = {name: target["memory"] for name, target in results.targets.items()}
    for key, title in (("idle", "resident, idle"), ("paced-300", "resident, 300 streams")):
        kept = [f"{_shown(_median(memory.get(name, {}).get(key)), 0)} MB" for name in ("nginx", "full")]
        rows.append([title, *kept, ""])
    return _markdown(["", "nginx, only proxying", "hermes-router", "ratio"], rows) + "\n\n" + _note(results)


def put_into(page: Path, text: str) -> None:
    """Between the page's marks ``<!-- bench -->`` and ``<!-- /bench -->``. Raises ValueError where they are missing."""
    before, mark, rest = page.read_text().partition("<!-- bench -->\n")
    _, end, after = rest.partition("<!-- /bench -->")
    if not mark or not end:
        raise ValueError(f"{page} has no place for it: <!-- bench --> and <!-- /bench --> are missing.")
    page.write_text(f"{before}{mark}{text}\n{end}{after}")


def _names(results: Results) -> list[str]:
    return list(results.targets)


def _cost(results: Results) -> str:
    names = _names(results)
    others = [name for name in names if name != "nginx"] if "nginx" in names else []
    head = ["CPU", *(results.targets[name]["title"] for name in names)]
    head += [f"{results.targets[name]['title']}: ratio to nginx" for name in others]
    rows = []
    for load in _measured(results):
        row = [f"{load.title}, us/{load.unit}"]
        row += [_shown(results.median(load.name, name, lambda cell: cell.microseconds), 1) for name in names]
        row += [_shown(results.ratio(load.name, name), 1, "x") for name in others]
        rows.append(row)
    for load in _measured(results):
        if load.how == "closed":
            row = [f"{load.title}, {load.unit}s/s"]
            row += [_shown(results.median(load.name, name, lambda cell: cell.per_second), 0) for name in names]
            rows.append(row + [""] * len(others))
    return _markdown(head, rows)


def _streams(results: Results) -> str:
    """How late, how soon, how many failed."""
    names = _names(results)
    rows: list[list[str]] = []

    def add(title: str, load: Load, digits: int, value: Callable[[Cell], float]) -> None:
        rows.append([title, *(_shown(results.median(load.name, name, value), digits) for name in names)])

    for load in _measured(results):
        if load.paced:
            add(f"{load.title}: chunk late, p50 ms", load, 2, lambda cell: cell.late["p50"])
            add(f"{load.title}: chunk late, p99 ms", load, 2, lambda cell: cell.late["p99"])
            add(f"{load.title}: first chunk, p50 ms", load, 2, lambda cell: cell.first["p50"])
            add(f"{load.title}: first chunk, p99 ms", load, 2, lambda cell: cell.first["p99"])
        if load.how == "rate":
            add(f"{load.title}: added, p50 ms", load, 2, lambda cell: cell.latency["p50"] - cell.direct["p50"])
            add(f"{load.title}: added, p99 ms", load, 2, lambda cell: cell.latency["p99"] - cell.direct["p99"])
    if not results.cells:
        return ""
    failed = {name: sum(cell.failed for cell in results.cells if cell.target == name) for name in names}
    rows.append(["requests failed, all loads", *(str(failed[name]) for name in names)])
    return _markdown(["Delay", *(results.targets[name]["title"] for name in names)], rows)


def _memory(results: Results) -> str:
    names = _names(results)
    if not names:
        return ""
    titles = {"idle": "idle", "paced-300": "300 streams", "paced-1000": "1000 streams", "after": "after all loads"}
    rows = [
        [f"resident, {title}, MB", *(_shown(_median(results.targets[name]["memory"].get(key)), 0) for name in names)]
        for key, title in titles.items()
        if any(key in results.targets[name]["memory"] for name in names)
    ]
    rows.append(["start to ready, s", *(_shown(_median(results.targets[name]["ready_seconds"]), 2) for name in names)])
    return _markdown(["Memory and start", *(results.targets[name]["title"] for name in names)], rows)


def _planning(results: Results) -> str:
    if not results.planning:
        return ""
    head = ["Planning, us per request", *(f"{size} deployments" for size in results.planning)]
    titles = {"p50": "median", "mean": "mean", "p99": "p99", "fresh": "no kept order"}
    rows = [
        [title, *(_shown(shown[key], 0 if shown[key] >= 100 else 1) for shown in results.planning.values())]
        for key, title in titles.items()
    ]
    return _markdown(head, rows)


def _startup(results: Results) -> str:
    if not results.startup:
        return ""
    titles = {
        "version_ms": "hermes-router --version, ms",
        "python_ms": "of that: Python itself, ms",
        "import_cli_ms": "imports of the command line, ms",
        "import_server_ms": "imports of the server, ms",
    }
    return _markdown(["Start", ""], [[titles[key], _shown(value, 0)] for key, value in results.startup.items()])


def _measured(results: Results) -> list[Load]:
    names = {cell.load for cell in results.cells}
    return [load for load in loads(1.0) if load.name in names]


def _median(values: list[float] | None) -> float | None:
    return statistics.median(values) if values else None


def _shown(value: float | None, digits: int, unit: str = "") -> str:
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def _markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
