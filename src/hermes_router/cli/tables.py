"""What several screens draw: plain tables, bars, and text cut to fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def table(*headings: str, right: Sequence[str] = (), gap: int = 2) -> Table:
    """A table without lines, its headings bold; numbers stand to the right. Cells may hold rich markup; ``gap`` is the
    space between columns. Text that could be too long for its column is to be clipped before."""
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for heading in headings:
        drawn.add_column(heading, justify="right" if heading in right else "left", no_wrap=True, overflow="ellipsis")
    return drawn


def clip(text: str, width: int) -> str:
    """At most ``width`` characters, the end cut off with an ellipsis, safe as rich markup."""
    from rich.markup import escape

    text = " ".join(text.split())
    return escape(text if len(text) <= width else f"{text[: width - 1]}…")


def bar(share: float, width: int) -> str:
    """A bar as long as ``share`` (0..1) of ``width``, in eighths of a character."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    if share > 0 and not eighths:
        eighths = 1
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
