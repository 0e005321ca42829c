#!/usr/bin/env python3
"""A day of traffic in virtual time over the catalogue's limits: the share of the free quota used, and what is refused.

    .venv/bin/python scripts/replay_day.py [--days 1] [--tokens 500] [--at-once 4] [--provider groq ...]

Each provider of the catalogue that declares limits is played by a simulated one that keeps them exactly (sliding and
fixed minutes in turn); callers always want more than it gives. Three runs: the ledger knows the limits; it knows
none and learns them from refusals that say which and how much; and from refusals that say nothing at all. ``worst``
is the most refusals in one minute or day of one window: calls that were under way when the first was refused.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fakes.day import DECLARED, NAMED, NOTHING_SAID, Played, play, played_providers

START = datetime(2026, 11, 22, tzinfo=UTC).timestamp()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=1.0)
    parser.add_argument("--tokens", type=int, default=500, help="tokens of a call")
    parser.add_argument("--at-once", type=int, default=4, help="calls at a time where limits are hidden")
    parser.add_argument("--provider", action="append", help="only this one; may be repeated")
    args = parser.parse_args()
    began = time.monotonic()
    for title, variant in (
        ("limits documented", DECLARED),
        ("limits hidden, refusals say which and how much", NAMED),
        ("limits hidden, refusals say nothing", NOTHING_SAID),
    ):
        rows = [
            play(provider, variant, start=START, days=args.days, tokens=args.tokens, at_once=args.at_once)
            for provider in played_providers(args.provider)
        ]
        table(title, rows)
    print(f"{time.monotonic() - began:.1f} s")


def table(title: str, rows: list[Played]) -> None:
    print(f"\n{title}")
    heads = ("models", "possible", "used", "share", "refused", "per window", "worst")
    print(f"{'provider':16}{heads[0]:>7}" + "".join(f"{head:>12}" for head in heads[1:]))
    for row in [*rows, sum_of(rows)]:
        print(
            f"{row.provider:16}{row.models:7}{row.possible:12}{row.used:12}{row.share:12.3f}{row.refused:12}"
            f"{row.refused_per_window:12.4f}{row.worst:12}"
        )


def sum_of(rows: list[Played]) -> Played:
    return Played(
        provider="total",
        models=sum(row.models for row in rows),
        possible=sum(row.possible for row in rows),
        used=sum(row.used for row in rows),
        refused=sum(row.refused for row in rows),
        windows=sum(row.windows for row in rows),
        worst=max((row.worst for row in rows), default=0),
    )


if __name__ == "__main__":
    main()
