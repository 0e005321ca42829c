"""The tools of the latest requests, by the bytes they came in: agents send the same ones with every request.

What is kept was read once by the dialect's own reader, from the very same bytes, so nothing about it can differ.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import orjson

from ..core.errors import BadRequest
from ..core.request import KeptTools, Tool
from .reading import Table, Unusual

_KEPT = 32
_LARGEST = 128 * 1024
"""Bytes. With what becomes of them, all that is kept stays below some 30 MB even if every array is of this size."""

ReadTools = Callable[[Table], tuple[Tool, ...]]


class ToolShelf:
    """``read`` reads the tools of a body ``{"tools": [...]}``, as the dialect does for any request."""

    def __init__(self, read: ReadTools, *, kept: int = _KEPT, largest: int = _LARGEST) -> None:
        self._read = read
        self._kept = kept
        self._largest = largest
        self._tools: OrderedDict[bytes, tuple[Tool, ...]] = OrderedDict()

    def of(self, raw: bytes) -> tuple[Tool, ...]:
        """The tools of this JSON value. Raises Unusual where they cannot be read."""
        found = self._tools.get(raw)
        if found is not None:
            self._tools.move_to_end(raw)
            return found
        try:
            tools = KeptTools(self._read({"tools": orjson.loads(raw)}))
        except (BadRequest, orjson.JSONDecodeError):
            raise Unusual from None
        if len(raw) <= self._largest:
            self._tools[raw] = tools
            if len(self._tools) > self._kept:
                self._tools.popitem(last=False)
        return tools
