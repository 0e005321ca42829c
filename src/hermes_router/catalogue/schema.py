"""What can be said about a provider, in TOML: the built-in files and the user's ``[providers.x]`` share this schema.

Unknown keys are errors. Absent means unknown, never "no". The first block of ``ProviderSpec`` is the stable contract
with users; the rest is how the built-in files say what a provider does differently. Quirks are a small closed
vocabulary: what they cannot say becomes one named function in ``wires/quirks.py`` that a quirk refers to.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

WireName = Literal["openai", "anthropic"]
Reset = str
"""A day's calendar: ``rolling``, ``UTC`` or an IANA zone such as ``America/Los_Angeles``."""


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table here."""


class Limits(Table, frozen=True):
    """Requests and tokens per minute and day, calls per month, requests at a time. 0: unknown, not counted."""

    rpm: int = 0
    rpd: int = 0
    tpm: int = 0
    tpd: int = 0
    month: int = 0
    concurrency: int = 0


class Quirks(Table, frozen=True):
    """How a provider, or one model of it, deviates from its wire. None: as the wire says.

    Writing the request:

    - ``allow``: optional top-level fields it takes; every other optional field (unknown ones too) is left out.
      None: all are sent. ``drop``: fields left out all the same.
    - ``rename``: field -> its name here (``{seed = "random_seed"}``). ``force``: fields set whatever the caller said.
    - ``max_tokens_field``: ``max_tokens`` or ``max_completion_tokens``. ``always_max_tokens``: send one even where the
      caller gave none. ``charges_output``: the output budget counts against the limits when the request arrives.
    - ``reserve``: tokens added for thinking in place of ``REASONING_TOKEN_RESERVE``.
    - ``stream_usage``: ask for usage with ``stream_options`` (False: comes unasked, or the field is refused).
    - ``sampling``: False: temperature, top_p and top_k are refused.
    - ``tool_ids``: shape of tool-call ids it takes, a name in ``wires/quirks.py`` (``alnum9``, ``word64``).
    - ``schema_drop``: JSON Schema keywords it refuses in tools. ``schema_closed``: strict schemas need
      ``additionalProperties: false`` on every object.
    - ``strict_tools``: False: a tool's ``strict`` is left out.
    - ``tool_choice``: our mode -> its word (``{required = "any"}``); a mode mapped to ``""`` is left out.
      ``tool_choice_named``: False: naming a tool is done by offering only that one and requiring it.
    - ``developer_role``: False: written as ``system``. ``system_role``: False: instructions open the first user turn.
    - ``message_names``: where a message's ``name`` may stay: ``all``, ``tool`` (only on tool results) or ``none``.
    - ``flat_content``: content lists of pure text become one string.
    - ``prefill``: a last assistant turn is continued: ``native``, ``prefix`` (needs ``prefix: true``), ``refused``.
    - ``tool_then_user``: False: an assistant turn must stand between a tool's result and what the user says next.
    - ``image_urls``: False: only base64 images.
    - ``effort``: our effort -> its word; an effort that is missing is left out. ``thinking``: how thinking is switched:
      ``effort`` (reasoning_effort), ``type`` (``thinking: {type}``), ``none``.
    - ``replay``: what its own earlier thinking needs on the way back: ``none``, ``reasoning_content``, ``reasoning``,
      ``reasoning_details``, ``thought_signature``, ``think_tags``, ``content_list``.
    - ``headers``: sent with each request. ``header_env``: header -> environment variable that fills it.
    - ``body``: top-level fields added where the caller gave none.

    Choosing: ``schema_with_tools`` / ``schema_with_stream``: False: json_schema does not combine with these.

    Reading the answer: ``finish``: its finish word -> ours, or ``error`` where it means that the answer failed.
    ``think_tags``: thinking may come as ``<think>`` text. ``text_errors``: patterns of answers that are really errors.

    Embeddings: ``embed_body``: fields added to embedding requests.
    """

    allow: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None
    rename: dict[str, str] | None = None
    force: dict[str, Any] | None = None
    body: dict[str, Any] | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    always_max_tokens: bool | None = None
    charges_output: bool | None = None
    reserve: int | None = None
    stream_usage: bool | None = None
    sampling: bool | None = None
    tool_ids: Literal["alnum9", "word64"] | None = None
    schema_drop: tuple[str, ...] | None = None
    schema_closed: bool | None = None
    strict_tools: bool | None = None
    tool_choice: dict[str, str] | None = None
    tool_choice_named: bool | None = None
    developer_role: bool | None = None
    system_role: bool | None = None
    message_names: Literal["all", "tool", "none"] | None = None
    flat_content: bool | None = None
    prefill: Literal["native", "prefix", "refused"] | None = None
    tool_then_user: bool | None = None
    image_urls: bool | None = None
    effort: dict[str, str] | None = None
    thinking: Literal["effort", "type", "none"] | None = None
    replay: (
        Literal[
            "none",
            "reasoning_content",
            "reasoning",
            "reasoning_details",
            "thought_signature",
            "think_tags",
            "content_list",
        ]
        | None
    ) = None
    headers: dict[str, str] | None = None
    header_env: dict[str, str] | None = None
    schema_with_tools: bool | None = None
    schema_with_stream: bool | None = None
    finish: dict[str, str] | None = None
    think_tags: bool | None = None
    text_errors: tuple[str, ...] | None = None
    embed_body: dict[str, Any] | None = None

    def over(self, base: Quirks) -> Quirks:
        """These quirks where they say something, ``base`` elsewhere."""
        said = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        return msgspec.structs.replace(base, **said) if said else base


class Timeouts(Table, frozen=True):
    """Seconds an attempt may take to connect, to its first event, between events, and in all. None: the setting."""

    connect: float | None = None
    first_event: float | None = None
    gap: float | None = None
    total: float | None = None


class ModelSpec(Table, frozen=True):
    """One model. ``price`` is what its user pays, USD per million tokens in and out: nothing where the free tier serves
    it (``free``). ``tier`` 1 is the strongest, 5 the weakest.

    ``tools`` ... ``json_schema``: what it can do; None: nobody has seen it try. ``token_input`` is for embedding
    models. ``ends``: an ISO date after which it is retired. ``note`` and ``source`` say where a fact comes from.
    """

    id: str
    context: int = 0
    max_output: int = 0
    tools: bool | None = None
    parallel_tools: bool | None = None
    vision: bool | None = None
    documents: bool | None = None
    audio: bool | None = None
    reasoning: bool | None = None
    json_schema: bool | None = None
    tier: int | None = None
    price: tuple[float, float] | None = None
    limits: Limits = Limits()
    free: bool | None = None
    ends: str | None = None
    note: str = ""
    source: str = ""
    quirks: Quirks = Quirks()
    timeouts: Timeouts = Timeouts()


class EmbedSpec(Table, frozen=True):
    """One embedding model. ``sizes``: dimensions it can be asked for (empty: only its own; ``[1, 3072]`` with
    ``any_size``: every size between). ``batch``: inputs per call, 0: unknown (one call). ``token_input``: takes arrays
    of token numbers. ``max_input``: tokens per input."""

    id: str
    dimensions: int = 0
    sizes: tuple[int, ...] = ()
    any_size: bool = False
    max_input: int = 0
    batch: int = 0
    token_input: bool = False
    price: float = 0.0
    limits: Limits = Limits()
    quirks: Quirks = Quirks()
    note: str = ""


class ErrorRule(Table, frozen=True):
    """A row of a provider's error table; the first that fits decides, before the rules common to all.

    ``status``: these only (empty: any). ``match``: a regular expression, case ignored, searched in the body.
    ``header``: header -> pattern its value must match in full. ``until``: ``stated`` (header or text), ``reset`` (the
    day's calendar), ``month`` (the first of the next), or a time such as ``60s``, ``10m``, ``7d``; absent: the verdict
    table's default. ``limit``: which window this is about. ``field``: the request field or ability that was refused
    (``tools``, ``image``, ``prefill``), where the row alone says so. A row without ``match`` needs its status: an error
    inside a 200 that states none does not fit it.
    """

    kind: str
    scope: Literal["request", "deployment", "model", "credential", "account", "provider"] | None = None
    status: tuple[int, ...] = ()
    match: str = ""
    header: dict[str, str] = {}
    until: str | None = None
    limit: Literal["rpm", "rpd", "tpm", "tpd", "month", "concurrency"] | None = None
    field: str = ""
    source: str = ""


class LimitHeaders(Table, frozen=True):
    """Which response headers speak of which window. Values are read as the formats in ``wires/durations.py``."""

    window: Literal["rpm", "rpd", "tpm", "tpd", "month", "concurrency"]
    limit: str = ""
    remaining: str = ""
    reset: str = ""


class Auth(Table, frozen=True):
    """Where the key goes: ``{scheme} {key}`` in ``header``."""

    header: str = "authorization"
    scheme: str = "Bearer"


class ProviderSpec(Table, frozen=True):
    """Everything known about a provider."""

    # the stable contract with users
    wire: WireName | None = None
    base_url: str | None = None
    keys: tuple[str, ...] | None = None
    key_env: str | tuple[str, ...] | None = None
    account: Literal["per-key", "shared"] | None = None
    embed_model: str | None = None
    reset: Reset | None = None
    limits: Limits | None = None
    models: tuple[ModelSpec, ...] | None = None

    # what built-in files add
    title: str = ""
    signup: str = ""
    as_of: str = ""
    source: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    """Names of environment variables people use for its key, beside ``<PROVIDER>_API_KEY``."""
    base_url_env: tuple[str, ...] = ()
    """Variables that may stand in braces in ``base_url`` and must be set."""
    paths: dict[str, str] = {}
    """Endpoint -> path below ``base_url`` where it is not the wire's own: chat, embeddings, models."""
    scope: Literal["key", "account", "project", "organisation", "ip"] | None = None
    """Whose limits they are by the provider's own rule. The router cannot see whether two keys are of one account:
    that is what ``account`` says. For display, and for the ledger's guess."""
    auth: Auth = Auth()
    status: Literal["live", "gated", "retired", "reserved"] = "live"
    """Only ``live`` serves on its own; for the others ``status_note`` tells the user why not."""
    status_note: str = ""
    keyless: bool = False
    opt_in: bool = False
    """Keyless and off until named in TOML or ``<PROVIDER>_ENABLED=1``."""
    defaults: tuple[str, ...] = ()
    """Ids of the models that serve where the user names none; empty: all listed that are free."""
    embeddings: tuple[EmbedSpec, ...] = ()
    quirks: Quirks = Quirks()
    errors: tuple[ErrorRule, ...] = ()
    limit_headers: tuple[LimitHeaders, ...] = ()
    failed_calls_count: bool = False
    """Whether a refused or failed call is counted against the quota."""
    timeouts: Timeouts = Timeouts()
    note: str = ""


class Profile(Table, frozen=True):
    """A way of choosing that a client can ask for: ``hermes-router:<name>``.

    ``order``: what decides, most important first. ``providers`` / ``tiers``: only these (empty: all).
    """

    order: tuple[Literal["speed", "tier", "price", "fit"], ...] = ("fit",)
    providers: tuple[str, ...] = ()
    tiers: tuple[int, ...] = ()


class UserConfig(Table, frozen=True):
    """hermes-router.toml. ``router`` holds settings by their lower-case names (``pin = true``); environment wins."""

    router: dict[str, Any] = {}
    providers: dict[str, ProviderSpec] = {}
    aliases: dict[str, tuple[str, ...]] = {}
    profiles: dict[str, Profile] = {}
