"""A router in front of strict upstreams, for tests in another language: says its address, lives until stdin closes.

What the upstream answers is scripted by model: ``broken`` fails with 500, ``refusing`` finds every request wrong.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import orjson

from fakes.router import KEY, router
from fakes.served import ABLE, provider
from fakes.upstream import Upstream, error

TOML = (
    provider("plain", "m1")
    + provider("claude", "m1", wire="anthropic", facts=f"{ABLE}reasoning = true\n")
    + provider("broken")
    + provider("refusing")
)
ENV = {"MAX_WAIT_SECONDS": "0", "PIN": "1"}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Upstream() as upstream:
        upstream.script(error(500), path="/broken/", for_ever=True)
        upstream.script(
            error(400, "temperature must be at most 2", param="temperature"), path="/refusing/", for_ever=True
        )
        with router(Path(folder), toml=TOML, env=ENV, upstream=upstream) as one:
            sys.stdout.write(orjson.dumps({"url": one.url, "key": KEY}).decode() + "\n")
            sys.stdout.flush()
            sys.stdin.read()


if __name__ == "__main__":
    main()
