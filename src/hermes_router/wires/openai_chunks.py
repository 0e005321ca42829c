"""One Chat Completions answer, from decoded JSON to events. A streamed chunk and a whole body take the same way.

No bytes, no framing, and no verdict on an answer that is empty: the engine decides what that means. Source for the
shape: OpenAI API reference, "The chat completion object" and "chunk object"; deviations name who has them.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from ..core.events import (
    Event,
    Failed,
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    Usage,
)
from ..core.faults import Fault, Kind, Scope
from .base import Target
from .classify import classify_event_error
from .openai_calls import CallReader
from .openai_think import ThinkSplitter

Table = dict[str, Any]

# Words in lower case. Beside OpenAI's own: Cohere (complete, tool_call, stop_sequence), Mistral (model_length),
# Hugging Face (eos_token), Together (eos), Z.ai (sensitive, model_context_window_exceeded), Gemini (safety ...).
_FINISH = {
    "stop": FinishReason.STOP,
    "complete": FinishReason.STOP,
    "completed": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "eos_token": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "tool_call": FinishReason.TOOL_CALLS,
    "tool_use": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.FILTERED,
    "filtered": FinishReason.FILTERED,
    "sensitive": FinishReason.FILTERED,
    "safety": FinishReason.FILTERED,
    "recitation": FinishReason.FILTERED,
    "blocklist": FinishReason.FILTERED,
    "prohibited_content": FinishReason.FILTERED,
    "spii": FinishReason.FILTERED,
    "refusal": FinishReason.REFUSED,
    "refused": FinishReason.REFUSED,
}
_BROKEN = frozenset({"network_error", "abort", "aborted", "cancelled"})
_CACHE_READ = ("prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens", "num_cached_tokens")
_CACHE_WRITE = ("cache_write_tokens", "cache_creation_tokens")
_NUMBER = (int, float)
_GATED = 300
"""Characters of text held back where a provider is known to send errors as text."""
_ERROR_MARKS = ("errors", "detail", "title", "message")


class AnswerReader:
    """Turns chunks into events. ``over`` is True once ``Failed`` or ``Finish`` was given."""

    def __init__(self, target: Target, now: float) -> None:
        self._target = target
        self._now = now
        self._think = ThinkSplitter(everywhere=bool(target.quirks.think_tags))
        self._calls = CallReader()
        self._seed = ""
        self._gate: str | None = "" if target.quirks.text_errors else None
        self._logprobs: list[Any] = []
        self._usage: Usage | None = None
        self._word: str | None = None
        self._reason = FinishReason.STOP
        self._stopped_by: str | None = None
        self.started = False
        self.over = False

    @property
    def plain(self) -> bool:
        """Whether text may become TextDelta as it is."""
        return self._think.plain and not self._logprobs

    @property
    def untagged(self) -> bool:
        """Whether text without "<" may."""
        return self._think.quiet and not self._logprobs

    @property
    def ending(self) -> bool:
        """Not where it calls tools: some providers say why they stop with each call (recorded: OpenRouter)."""
        return self._word is not None and self._reason is not FinishReason.TOOL_CALLS and not self._calls.count

    def read(self, chunk: Table, events: list[Event], *, whole: bool = False) -> None:
        """Add the events of one chunk, or of a ``whole`` body."""
        if (error := _error_in(chunk)) is not None:
            return self.fail(classify_event_error(self._target, error, self._now), events)
        self._count(chunk)
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            # Only the first answer of several was asked for; GitHub Copilot spreads one over two without an index.
            if isinstance(choice, dict) and not choice.get("index"):
                self._start(chunk, events)
                self._choice(choice, events, whole)
                if self.over:
                    return None
        return None

    def finish(self, events: list[Event], *, complete: bool) -> None:
        """The body is over. ``complete``: it said so itself, by ``[DONE]`` or by being one whole JSON value."""
        if self.over or not self._flush(events):
            return
        fault = self._broken_off(complete) or self._calls_fault(events)
        if self._usage:
            events.append(self._usage)
        if fault:
            self.fail(fault, events)
        else:
            self.over = True
            events.append(self._ending())

    def fail(self, fault: Fault, events: list[Event]) -> None:
        """Give ``Failed``; nothing comes after it."""
        self.over = True
        events.append(Failed(fault))

    def _broken_off(self, complete: bool) -> Fault | None:
        if not self.started:
            return malformed("the answer holds nothing")
        return cut("the stream ended before its finish") if self._word is None and not complete else None

    def _calls_fault(self, events: list[Event]) -> Fault | None:
        # A call that the output limit cut off before its arguments is not one without arguments.
        problem = self._calls.end(events, fill=self._reason is not FinishReason.LENGTH)
        return malformed(problem) if problem else None

    def _start(self, chunk: Table, events: list[Event]) -> None:
        if self.started:
            return
        self.started = True
        created = chunk.get("created")
        start = Start(
            id=_text(chunk.get("id")),
            model=_text(chunk.get("model")),
            created=int(created) if isinstance(created, int | float) else None,
            fingerprint=_text(chunk.get("system_fingerprint")) or None,
        )
        self._seed = start.id or f"{self._target.name}/{self._now!r}"
        events.append(start)

    def _choice(self, choice: Table, events: list[Event], whole: bool) -> None:
        if isinstance(choice.get("error"), dict | str):
            return self.fail(classify_event_error(self._target, {"error": choice["error"]}, self._now), events)
        # Perplexity sends both: in a stream the delta is the news, in a body the message is all of it.
        names = ("message", "delta") if whole else ("delta", "message")
        for name in names:
            if isinstance(choice.get(name), dict):
                self._delta(choice[name], choice, events, whole)
                break
        word = _text(choice.get("finish_reason"))
        if word and not self.over:
            self._stopped(word, choice, events)
        return None

    def _delta(self, delta: Table, choice: Table, events: list[Event], whole: bool) -> None:
        self._reasoning(delta, events)
        content = delta.get("content")
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
            self._logprobs += logprobs["content"]
        if isinstance(content, str):
            self._text(content, events)
        elif isinstance(content, list):
            self._items(content, events)
        elif isinstance(content, dict):
            # Cloudflare decodes the JSON that a json_schema asked for (recorded 2025-12).
            self._text(orjson.dumps(content).decode(), events)
        if self.over:
            return
        if refusal := _text(delta.get("refusal")):
            events.append(RefusalDelta(refusal))
        self._tools(delta, events, whole)

    def _reasoning(self, delta: Table, events: list[Event]) -> None:
        text = _text(delta.get("reasoning")) or _text(delta.get("reasoning_content"))
        details = delta.get("reasoning_details")
        if not isinstance(details, list) or not details:
            if text:
                events.append(ReasoningDelta(text))
            return
        if not text:
            text = "".join(
                _text(item.get("text")) or _text(item.get("summary")) for item in details if isinstance(item, dict)
            )
        events.append(ReasoningDelta(text, details=details))

    def _items(self, items: list[Any], events: list[Event]) -> None:
        """Content as a list: Mistral's thinking, Databricks' reasoning; what is no text (references) is left out."""
        for item in items:
            if not isinstance(item, dict):
                continue
            match item.get("type"):
                case "text" | "output_text":
                    self._text(_text(item.get("text")), events)
                case "thinking" | "reasoning":
                    thought = item.get("thinking") or item.get("summary") or item.get("text")
                    if text := _joined(thought):
                        events.append(ReasoningDelta(text))
                case "refusal":
                    events.append(RefusalDelta(_text(item.get("refusal"))))

    def _text(self, text: str, events: list[Event]) -> None:
        if self._gate is not None:
            self._gate += text
            if len(self._gate) >= _GATED:
                self._open_gate(events)
        elif self._think.plain:
            self._say(False, text, events)
        else:
            for thinking, piece in self._think.feed(text):
                self._say(thinking, piece, events)

    def _say(self, thinking: bool, text: str, events: list[Event]) -> None:
        logprobs, self._logprobs = self._logprobs, []
        if thinking:
            events.append(ReasoningDelta(text))
        elif text or logprobs:
            events.append(TextDelta(text, logprobs or None))

    def _open_gate(self, events: list[Event]) -> None:
        """Let the text held so far through, or find that it is an error (Pollinations answers so, 2026-09)."""
        text, self._gate = self._gate or "", None
        if any(re.search(pattern, text, re.IGNORECASE) for pattern in self._target.quirks.text_errors or ()):
            self.fail(classify_event_error(self._target, {"error": {"message": text}}, self._now), events)
        else:
            self._text(text, events)

    def _flush(self, events: list[Event]) -> bool:
        """Say what was held back. False: it turned out to be an error."""
        if self._gate is not None:
            self._open_gate(events)
        for thinking, piece in self._think.end():
            self._say(thinking, piece, events)
        return not self.over

    def _tools(self, delta: Table, events: list[Event], whole: bool) -> None:
        calls = delta.get("tool_calls")
        legacy = delta.get("function_call")
        if not calls and isinstance(legacy, dict):
            calls = [{"index": 0, "function": legacy}]
        if not isinstance(calls, list) or not calls:
            return
        if self._flush(events):
            self._calls.feed(calls, events, whole=whole, seed=self._seed, spare=_message_signature(delta))

    def _stopped(self, raw: str, choice: Table, events: list[Event]) -> None:
        word = (self._target.quirks.finish or {}).get(raw, raw)
        low = word.lower()
        ending = f"the provider ended the answer with finish_reason {raw}"
        if raw.lower() in _BROKEN or low in _BROKEN:
            return self.fail(cut(ending), events)
        if low == "error":
            return self.fail(classify_event_error(self._target, {"error": {"message": ending}}, self._now), events)
        # Gemini: "function_call_filter: MALFORMED_FUNCTION_CALL", UNEXPECTED_TOOL_CALL.
        if "malformed" in low or "unexpected_tool_call" in low:
            return self.fail(malformed(ending), events)
        self._word, self._reason = raw, _FINISH.get(low, FinishReason.STOP)
        # vLLM and SGLang name the sequence that stopped the model, or a token's number.
        self._stopped_by = _text(choice.get("stop_reason")) or _text(choice.get("matched_stop")) or None
        return None

    def _ending(self) -> Finish:
        reason = self._reason
        if reason is FinishReason.STOP and self._stopped_by:
            reason = FinishReason.STOP_SEQUENCE
        if self._calls.count and reason in (FinishReason.STOP, FinishReason.STOP_SEQUENCE):
            reason = FinishReason.TOOL_CALLS
        elif not self._calls.count and reason is FinishReason.TOOL_CALLS:
            reason = FinishReason.STOP
        sequence = self._stopped_by if reason is FinishReason.STOP_SEQUENCE else None
        return Finish(reason, self._word, sequence)

    def _count(self, chunk: Table) -> None:
        groq = chunk.get("x_groq")
        choices = chunk.get("choices")
        # Moonshot puts it on the choice.
        first = choices[0] if isinstance(choices, list) and choices else None
        for holder in (chunk, groq, first):
            if isinstance(holder, dict) and isinstance(holder.get("usage"), dict):
                usage = read_usage(holder["usage"])
                if usage.input or usage.output or self._usage is None:
                    self._usage = usage


def read_usage(table: Table) -> Usage:
    """Tokens, wherever a provider puts its details.

    Gemini and xAI leave thinking out of ``completion_tokens`` but not out of ``total_tokens``; Mistral's total has
    audio seconds in it.
    """
    if len(table) == 3 and (plain := _plain_usage(table)) is not None:
        return plain
    asked, said = table.get("prompt_tokens_details"), table.get("completion_tokens_details")
    details_in: Table = asked if isinstance(asked, dict) else {}
    details_out: Table = said if isinstance(said, dict) else {}
    input_, output = _int(table, "prompt_tokens"), _int(table, "completion_tokens")
    reasoning = (_int(details_out, "reasoning_tokens") if details_out else 0) or _int(table, "reasoning_tokens")
    uncounted = _int(table, "total_tokens") - input_ - output
    if uncounted > 0 and (uncounted == reasoning or not (details_out or "prompt_audio_seconds" in table)):
        output += uncounted
        reasoning = uncounted
    cache_read = (_int(details_in, "cached_tokens") if details_in else 0) or _first(table, _CACHE_READ)
    cache_write = _first(details_in, _CACHE_WRITE) or _int(table, "cache_creation_input_tokens")
    return Usage(input=input_, output=output, reasoning=reasoning, cache_read=cache_read, cache_write=cache_write)


def _plain_usage(table: Table) -> Usage | None:
    """Of the three counts that make up most usages, where they add up."""
    input_, output = table.get("prompt_tokens"), table.get("completion_tokens")
    if type(input_) is int and type(output) is int and input_ >= 0 and output >= 0:
        return Usage(input=input_, output=output) if table.get("total_tokens") == input_ + output else None
    return None


def malformed(message: str) -> Fault:
    """The model's answer is no answer."""
    return Fault(kind=Kind.MALFORMED, scope=Scope.MODEL, message=message)


def cut(message: str) -> Fault:
    """The answer broke off."""
    return Fault(kind=Kind.CUT, scope=Scope.PROVIDER, message=message)


def _error_in(chunk: Table) -> Table | None:
    """The chunk itself where it is an error and not a piece of an answer."""
    if chunk.get("error"):
        return chunk
    groq = chunk.get("x_groq")
    if isinstance(groq, dict) and groq.get("error"):
        return {"error": groq["error"]}
    if chunk.get("choices") is not None:
        return None
    # Mistral and Cohere at the top level, NVIDIA's problem details, Cloudflare's list.
    return chunk if any(chunk.get(mark) for mark in _ERROR_MARKS) else None


def _message_signature(delta: Table) -> Table | None:
    """Gemini's signature where it stands on the message (2.5) and not on the call (3)."""
    extra = delta.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    if isinstance(google, dict) and _text(google.get("thought_signature")):
        return {"google": {"thought_signature": google["thought_signature"]}}
    return None


def _joined(value: object) -> str:
    if isinstance(value, list):
        return "".join(_text(item.get("text")) for item in value if isinstance(item, dict))
    return _text(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _first(table: Table, keys: tuple[str, ...]) -> int:
    for key in keys:
        if key in table and (value := _int(table, key)):
            return value
    return 0


def _int(table: Table, key: str) -> int:
    value = table.get(key)
    return int(value) if isinstance(value, _NUMBER) and value > 0 else 0
