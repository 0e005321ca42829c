"""Which field of a request an error body refuses, if it is about one: pure text work, no meaning given here."""

from __future__ import annotations

import re

from .errorbody import Said

_ID = r"[A-Za-z_][\w.\[\]-]*"
_QUOTE = r"[`'\"]"

_AT_PATH = re.compile(rf"unknown name {_QUOTE}([\w$]+){_QUOTE} at {_QUOTE}([\w.\[\]]*){_QUOTE}", re.IGNORECASE)
_NAMED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:property|parameter|argument|field) {_QUOTE}({_ID}){_QUOTE} (?:is |are )?(?:not supported|"
        rf"unsupported|not allowed)",
        rf"(?:unrecognized|unknown|unsupported|unexpected) (?:request )?(?:arguments?|parameters?|fields?|"
        rf"propert(?:y|ies)|keys?|"
        rf"keyword argument|names?|values?|options?)(?: supplied| provided)?(?:: ?| (?={_QUOTE})){_QUOTE}?({_ID})",
        rf"(?:^|\n)({_ID}): (?:extra inputs are|extra fields) not permitted",
        rf"{_QUOTE}({_ID}){_QUOTE}:? (?:is |are )?(?:not (?:supported|permitted|allowed|enabled|available)|"
        rf"unsupported)",
    )
)
_UNQUOTED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:does not|doesn't|do not) support (?:the )?(?:parameter |field |argument )?[`'\"]?([A-Za-z_]+)",
        r"\b([A-Za-z_]+)(?: parameter| option)? (?:is|are) (?:not (?:supported|enabled|allowed|permitted)|"
        r"unsupported|deprecated)",
    )
)
_SPECIAL = (
    (
        re.compile(r"does not support effort level|reasoning[ _]effort .{0,40}not supported", re.IGNORECASE),
        "reasoning_effort",
    ),
    (re.compile(r"too many strict tools|strict.{0,30}not (?:supported|permitted)", re.IGNORECASE), "strict"),
)
_PARAM_REFUSED = re.compile(
    r"not supported|unsupported|unrecognized|unknown|not permitted|not allowed|unexpected|deprecated", re.IGNORECASE
)
_EXTRA = re.compile(r"extra|not permitted|unexpected|unknown|unrecognized", re.IGNORECASE)

# fmt: off
OPTIONAL = frozenset({
    "temperature", "top_p", "top_k", "top_a", "min_p", "typical_p", "frequency_penalty", "presence_penalty",
    "repetition_penalty", "logprobs", "top_logprobs", "logit_bias", "seed", "random_seed", "n", "best_of",
    "stop", "stop_sequences", "user", "metadata", "store", "service_tier", "stream_options",
    "parallel_tool_calls", "reasoning_effort", "reasoning", "thinking", "effort", "verbosity", "prediction",
    "modalities", "web_search_options", "safe_prompt", "prompt_cache_key", "prompt_cache_retention",
    "safety_identifier", "cache_control", "strict", "echo", "encoding_format", "truncate", "include_reasoning",
    "reasoning_format", "chat_template_kwargs", "enable_thinking",
})
# fmt: on
"""Fields a caller can do without: a word without quotes is taken for a field only where it is one of these."""


# fmt: off
_NUMBERS = frozenset({
    "temperature", "top_p", "top_k", "top_a", "min_p", "typical_p", "frequency_penalty", "presence_penalty",
    "repetition_penalty", "top_logprobs", "logit_bias", "seed", "random_seed", "n", "best_of",
})
# fmt: on
_RANGE = re.compile(
    r"(?:decimal|integer|number|float)_? ?(?:above|below)|\b(?:less|greater)_than|supported range is|out of range|"
    r"\b(?:must|should) (?:be|lie) (?:strictly )?(?:a number )?(?:at (?:most|least)|between|within|"
    r"in (?:the )?range|in [\[(]|"
    r"(?:less|greater|smaller|larger|lower|higher) than|[<>\u2264\u2265])|\brange: ?[-\d]",
    re.IGNORECASE,
)
_BEFORE = 80
"""Characters before the words about a range in which its field is looked for, where it is not named as such."""


def out_of_range(said: Said) -> str | None:
    """The field whose number lies outside its range: the provider knows it, so the mistake is the caller's own."""
    for path, what in said.locations:
        steps = _steps(".".join(path))
        if steps and steps[0] in _NUMBERS and _RANGE.search(what):
            return steps[0]
    found = _RANGE.search(said.words)
    if not found:
        return None
    named = [steps[0] for param in said.params[:1] if (steps := _steps(param))]
    words = re.findall(r"[a-z_]+", said.words[max(0, found.start() - _BEFORE) : found.start()].lower())
    return next((word for word in (*named, *reversed(words)) if word in _NUMBERS), None)


def refused_field(said: Said) -> tuple[str, ...] | None:
    """The path of the refused field, outermost first (``("stream_options", "include_usage")``); None: about none."""
    text = "\n".join(said.messages)
    for path, what in said.locations:
        steps = _steps(".".join(path))
        if steps and (_EXTRA.search(what) or steps[0] in OPTIONAL | {"tool_choice"}):
            return steps
    for pattern, field in _SPECIAL:
        if pattern.search(text):
            return (field,)
    if found := _AT_PATH.search(text):
        return _steps(f"{found[2]}.{found[1]}")
    for pattern in _NAMED:
        if (found := pattern.search(text)) and (steps := _steps(found[1])):
            return steps
    if said.params and _PARAM_REFUSED.search(said.words):
        return _steps(said.params[0]) or None
    for pattern in _UNQUOTED:
        for found in pattern.finditer(text):
            if (steps := _steps(found[1])) and steps[0] in OPTIONAL:
                return steps
    return None


def _steps(path: str) -> tuple[str, ...]:
    """``body.stream_options.include_usage`` and ``messages[0].role`` as steps; camel case becomes our snake case."""
    steps = [step for step in re.split(r"[.\[\]\s]+", path) if step]
    if steps[:1] == ["body"]:
        steps = steps[1:]
    return tuple(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", step).lower() for step in steps)
