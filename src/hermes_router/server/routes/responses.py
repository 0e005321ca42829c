"""POST /v1/responses, and what is kept of its answers: GET and DELETE /v1/responses/{id}, GET .../input_items."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs

import orjson

from ...core.errors import BadRequest, MethodNotAllowed, NotFound
from ...dialects.responses import OpenAIResponses
from ...dialects.responses_asked import Table
from ..http import Call, header
from ..runtime import Runtime
from .chat import chat

_PREFIX = "/v1/responses/"
_PAGE = 20


async def responses(runtime: Runtime, call: Call) -> None:
    """One conversation as any other; its Response is kept for the caller unless ``store`` is false. The header
    x-hermes-dropped names what of the request is left out."""

    def tell(dropped: tuple[str, ...]) -> None:
        call.also.append(header("x-hermes-dropped", ", ".join(dropped)))

    await chat(runtime, call, OpenAIResponses(runtime.responses.of(_owner(call)), tell))


async def kept_response(runtime: Runtime, call: Call) -> None:
    """Read one, read its input, or delete it. Raises NotFound, MethodNotAllowed, BadRequest."""
    response_id, _, rest = call.path.removeprefix(_PREFIX).partition("/")
    shelf = runtime.responses.of(_owner(call))
    stored = shelf.get(response_id)
    if rest not in ("", "input_items"):
        raise NotFound(f"There is no {call.path} here.", code="unknown_url")
    if stored is None:
        raise NotFound(f"Response with id {response_id!r} not found: it is not, or no longer, kept by this router.")
    if call.method == "DELETE" and rest:
        raise MethodNotAllowed(f"{call.path} takes GET, not DELETE.", headers={"allow": "GET"})
    if call.method == "DELETE":
        shelf.remove(response_id)
        call.reply(200, orjson.dumps({"id": response_id, "object": "response", "deleted": True}))
    elif rest:
        call.reply(200, orjson.dumps(_page(response_id, stored.input_items, _query(call))))
    else:
        if _query(call).get("stream") == "true":
            raise BadRequest("stream must be false: a kept response is not streamed again", param="stream")
        call.reply(200, stored.body)


def _owner(call: Call) -> str:
    """A caller's name may pass to another key when keys are changed, so the key itself counts too."""
    bearer = call.headers.get("authorization", "").partition(" ")[2].strip()
    key = bearer or call.headers.get("x-api-key", "").strip()
    return f"{call.caller} {hashlib.sha256(key.encode()).hexdigest()}"


def _query(call: Call) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(call.query).items()}


def _page(response_id: str, given: list[Table], query: dict[str, str]) -> Table:
    """Newest first unless ``order`` is ``asc``; ``after`` is the id of the last one of the page before."""
    items = [_listed(item, f"in_{response_id.removeprefix('resp_')}{at:02x}") for at, item in enumerate(given)]
    if query.get("order") != "asc":
        items.reverse()
    limit = query.get("limit", str(_PAGE))
    if not limit.isdigit() or not 1 <= int(limit) <= 100:
        raise BadRequest("limit must be a number from 1 to 100", param="limit")
    ids = [item["id"] for item in items]
    after = query.get("after")
    if after is not None and after not in ids:
        raise BadRequest("after names no item of this response", param="after")
    begin = ids.index(after) + 1 if after is not None else 0
    page = items[begin : begin + int(limit)]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": begin + len(page) < len(items),
    }


def _listed(item: Table, item_id: str) -> Table:
    """An item in full: callers may leave out its id, and of a message its type and the form of its content."""
    if item.get("type", "message") != "message":
        return {"id": item_id, **item}
    message = {"id": item_id, "status": "completed", **item, "type": "message"}
    if isinstance(item.get("content"), str):
        kind = "output_text" if item.get("role") == "assistant" else "input_text"
        more: Table = {"annotations": []} if kind == "output_text" else {}
        message["content"] = [{"type": kind, "text": item["content"], **more}]
    return message
