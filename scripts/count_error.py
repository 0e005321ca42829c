#!/usr/bin/env python3
"""How far our estimate of input tokens is from what providers reported, over the recordings in RECORDINGS_DIR.

    RECORDINGS_DIR=... .venv/bin/python scripts/count_error.py [--worst 10]

Requests with media or with tools that run on a provider's servers are left out. Both halves of the recordings are
printed: constants of ``core/tokens.py`` fitted on one must hold on the other.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fakes.recorded_usage import Counted, counted, percentile

DIALECTS = {"messages": "Anthropic Messages", "chat": "OpenAI Chat Completions"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worst", type=int, default=0, help="list this many of the largest errors")
    args = parser.parse_args()
    if "RECORDINGS_DIR" not in os.environ:
        sys.exit("RECORDINGS_DIR names no folder of recordings")
    print(f"{'':34} {'requests':>8} {'median':>8} {'mean':>8} {'p95':>8}")
    for endpoint, title in DIALECTS.items():
        rows = list(counted(endpoint))
        for half in (0, 1):
            _print(f"{title}, half {half + 1}", [row for row in rows if row.half == half])
        _print(title, rows)
        for row in sorted(rows, key=lambda row: -row.error)[: args.worst]:
            print(f"    {row.error:8.1%} {row.ours:7} for {row.stated:7} {row.model} {row.id}")


def _print(title: str, rows: list[Counted]) -> None:
    errors = [row.error for row in rows]
    mean = sum(errors) / len(errors)
    print(f"{title:34} {len(rows):8} {percentile(errors, 0.5):8.1%} {mean:8.1%} {percentile(errors, 0.95):8.1%}")


if __name__ == "__main__":
    main()
