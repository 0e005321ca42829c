"""POST /v1/messages/count_tokens: how large a request would be. An estimate of ours; no provider is asked."""

from __future__ import annotations

import orjson

from ...core.tokens import count_request
from ...dialects.anthropic import AnthropicMessages
from ..http import Call
from ..runtime import Runtime


async def count_tokens(runtime: Runtime, call: Call) -> None:
    """``{"input_tokens": n}``. Raises BadRequest for what ``/v1/messages`` would refuse; ``max_tokens`` may
    be absent."""
    body = await call.body(runtime.settings.max_request_bytes)
    request = AnthropicMessages().read_to_count(body, call.headers)
    call.reply(200, orjson.dumps({"input_tokens": count_request(request)}))
