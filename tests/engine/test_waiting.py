"""The waiting room through the front door: who waits, how long, what they are told, and who goes first."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.lab import DIALECTS, Caller, Heard, Lab, heard, toml_of
from fakes.memory_transport import Asked, Entry, Told, refusal, replied, streamed
from fakes.speaker import speaker
from fakes.upstream import completion, text_stream
from fakes.virtual_time import run

TEXT = "Here is the answer that was worth waiting for."


def well(asked: Asked) -> Told:
    return speaker(TEXT)(asked)


def lab_of(limits: str, *, keys: int = 1, entry: Entry = well, more: str = "", **env: str) -> Lab:
    """One provider with these limits, and callers a, b, c."""
    facts = f"limits = {{ {limits} }}"
    env.setdefault("PROXY_API_KEYS", "k-a,k-b,k-c,sk-router-1")
    lab = Lab(toml_of("first", facts=facts, alias=True, more=more), **env)
    lab.up.script("first", entry)
    return lab


async def fill(lab: Lab, count: int, **more: object) -> None:
    await asyncio.gather(*(lab.ask(stream=False, **more) for _ in range(count)))  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_stream_that_waits_less_than_15_seconds_has_its_wait_in_a_header(dialect: str):
    async def main() -> None:
        lab = lab_of("rpm = 2")
        await fill(lab, 2)
        await asyncio.sleep(48)
        one = await lab.ask(dialect)
        assert (one.text, one.status) == (TEXT, 200)
        assert 10 <= one.first <= 15
        assert one.headers["x-hermes-provider"] == "first"
        assert int(one.headers["x-hermes-waited-ms"]) == pytest.approx(one.first * 1000, abs=50)
        assert not [comment for comment in one.comments if "waited" in comment]

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_stream_that_waits_longer_gets_its_status_after_15_seconds_and_one_comment(dialect: str):
    async def main() -> None:
        lab = lab_of("rpm = 2")
        await fill(lab, 2)
        one = await lab.ask(dialect)
        assert (one.text, one.status, one.error) == (TEXT, 200, None)
        assert one.first == pytest.approx(15, abs=0.1)
        said = [comment for comment in one.comments if comment.startswith("hermes-router")]
        assert len(said) == 1
        words = dict(part.split("=", 1) for part in said[0].split()[1:])
        assert (words["provider"], words["model"], words["attempts"]) == ("first", "m", "1")
        assert int(words["waited-ms"]) == pytest.approx(60000, abs=1000)
        assert one.raw.index(b"hermes-router") < one.raw.index(b"data: {")
        gaps = [later - earlier for earlier, later in zip(one.times, one.times[1:], strict=False)]
        assert max(gaps) <= 11, "keep-alives every ten seconds"

    run(main)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_failure_after_the_status_line_is_the_dialects_error_event(dialect: str):
    async def main() -> None:
        lab = lab_of("rpm = 1", entry=well)
        await fill(lab, 1)
        lab.up.script("first", refusal(503, "down for maintenance"))
        one = await lab.ask(dialect)
        assert one.status == 200
        assert one.error is not None
        assert one.error["details"]["candidates"]
        assert one.error["details"]["tiers"], "what the pool has left, as in a 503"
        assert one.finish is None
        assert one.text == ""

    run(main)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_refused_at_once_where_nothing_frees_in_time(dialect: str, stream: bool):
    async def main() -> None:
        lab = lab_of("rpm = 1, rpd = 50")
        await fill(lab, 1)
        await asyncio.sleep(10)
        one = await lab.ask(dialect, stream=stream, headers={"x-hermes-max-wait": "20"})
        assert one.status == 503
        assert one.took < 0.01
        assert int(one.headers["retry-after"]) == pytest.approx(50, abs=2)
        assert one.error is not None
        assert "first/m" in one.error["message"]
        assert "rpm" in one.error["message"]
        await asyncio.sleep(int(one.headers["retry-after"]))
        again = await lab.ask(dialect, stream=stream, headers={"x-hermes-max-wait": "0"})
        assert again.status == 200, "Retry-After is true"

    run(main)


def test_each_candidate_has_its_reason_and_its_moment():
    async def main() -> None:
        names = ("spent", "broken", "keyless")
        lab = Lab(toml_of(*names, alias=True))
        lab.up.script("spent", refusal(429, "slow down", {"retry-after": "300"}))
        lab.up.script("broken", refusal(503, "overloaded"))
        lab.up.script("keyless", refusal(401, "bad key"))
        one = await lab.ask(stream=False, headers={"x-hermes-max-wait": "1"})
        assert one.status == 503
        assert one.error is not None
        candidates = {row["provider"]: row for row in one.error["details"]["candidates"]}
        assert set(candidates) == set(names)
        assert all(row["reason"] and row["free_in"] is not None for row in candidates.values())
        assert candidates["spent"]["free_in"] == pytest.approx(300, abs=2)
        assert int(one.headers["retry-after"]) <= 10, "the soonest: what is overloaded comes back in seconds"

    run(main)


def test_retry_after_is_true_when_the_only_candidate_fails():
    async def main() -> None:
        lab = Lab(toml_of("first", alias=True))
        lab.up.script("first", refusal(503, "overloaded"))
        one = await lab.ask(stream=False)
        assert one.status == 503
        assert 1 <= int(one.headers["retry-after"]) <= 60

    run(main)


def test_callers_are_served_in_turns():
    async def main() -> None:
        lab = lab_of("rpm = 6")
        await fill(lab, 6)
        greedy = [lab.begin(key="k-a", stream=False) for _ in range(10)]
        await asyncio.sleep(1)
        modest = [lab.begin(key="k-b", stream=False) for _ in range(3)]
        await asyncio.sleep(61)
        assert [one.status for one in modest] == [200, 200, 200]
        assert sum(one.status == 200 for one in greedy) == 3
        for one in greedy:
            await one.task

    run(main)


def test_callers_take_turns_though_quota_comes_one_by_one():
    async def main() -> None:
        lab = lab_of("concurrency = 1", entry=streamed(text_stream("a", "b"), gap=1.0))
        greedy = [lab.begin(key="k-a") for _ in range(10)]
        await asyncio.sleep(0.5)
        modest = [lab.begin(key="k-b") for _ in range(3)]
        more = [lab.begin(key="k-c") for _ in range(3)]
        await asyncio.gather(*(one.task for one in (*modest, *more)))
        assert sum(one.task.done() for one in greedy) in (4, 5)
        await asyncio.gather(*(one.task for one in greedy))

    run(main)


def test_requests_that_left_cost_their_caller_no_turn():
    async def main() -> None:
        lab = lab_of("concurrency = 1", entry=streamed(text_stream("a", "b"), gap=1.0))
        first = lab.begin(key="k-c")
        await asyncio.sleep(0.1)
        other = [lab.begin(key="k-b") for _ in range(6)]
        left = [lab.begin(key="k-a") for _ in range(20)]
        await asyncio.sleep(0.1)
        for one in left:
            one.left.set()
        await asyncio.sleep(0.1)
        again = lab.begin(key="k-a")
        await again.task
        assert sum(one.task.done() for one in other) <= 2
        await asyncio.gather(first.task, *(one.task for one in other))

    run(main)


def test_a_big_request_is_not_starved_by_small_ones():
    async def main() -> None:
        lab = lab_of("tpm = 12000", MAX_WAIT_SECONDS="300")
        small, ends = [], 0.0
        loop = asyncio.get_running_loop()
        small = [lab.begin(key="k-a", text="word " * 800, stream=False) for _ in range(8)]
        await asyncio.sleep(5)
        big = lab.begin(key="k-b", text="word " * 7500, stream=False)
        for _ in range(60):
            await asyncio.sleep(2)
            small.append(lab.begin(key="k-c", text="word " * 800, stream=False))
        await big.task
        ends = loop.time()
        assert big.status == 200
        assert ends - big.began < 180
        for one in small:
            one.left.set()
            await asyncio.gather(one.task, return_exceptions=True)

    run(main)


def test_fifty_at_once_never_overshoot_thirty():
    async def main() -> None:
        lab = lab_of("rpm = 30")
        answers = await asyncio.gather(*(lab.ask(stream=False) for _ in range(50)))
        assert [one.status for one in answers] == [200] * 50
        times = sorted(asked.at for asked in lab.up.asked)
        assert len(times) == 50
        assert most_within(times, 60.0) <= 30

    run(main)


def test_who_leaves_the_queue_is_never_sent():
    async def main() -> None:
        lab = lab_of("rpm = 1")
        await fill(lab, 1)
        waiting = [lab.begin(key="k-a") for _ in range(5)]
        last = lab.begin(key="k-b")
        await asyncio.sleep(20)
        for one in waiting:
            one.left.set()
        await asyncio.sleep(0.2)
        assert all(one.task.done() for one in waiting)
        assert len(lab.app.runtime.engine.room.waiting) == 1
        await last.task
        assert heard("openai", last).text == TEXT
        assert len(lab.up.asked) == 2
        assert lab.app.runtime.engine.open == 0
        assert lab.app.runtime.pool.ledger.open_leases == 0

    run(main)


def test_concurrency_limit_is_a_queue():
    async def main() -> None:
        lab = lab_of("concurrency = 3", entry=streamed(text_stream(*"abcdefgh"), gap=1.0))
        answers = await asyncio.gather(*(lab.ask() for _ in range(12)))
        assert all(one.text == "abcdefgh" for one in answers)
        assert max(one.took for one in answers) < 60

    run(main)


def test_pool_of_keys_serves_what_fits_and_refuses_the_rest_by_the_deadline():
    async def main() -> None:
        lab = lab_of("rpm = 5", MAX_WAIT_SECONDS="70")
        answers: list[Heard] = await asyncio.gather(*(lab.ask(stream=False) for _ in range(30)))
        served = [one for one in answers if one.status == 200]
        refused = [one for one in answers if one.status == 503]
        assert len(served) + len(refused) == 30
        assert len(served) == 10, "five at once, five after a minute"
        assert all(one.took <= 70.1 for one in answers)
        assert all("retry-after" in one.headers for one in refused)

    run(main)


arrivals = st.lists(
    st.tuples(
        st.floats(0, 90),
        st.sampled_from(["k-a", "k-b", "k-c"]),
        st.integers(1, 6000),
        st.sampled_from([0.0, 5.0, 30.0, 60.0, 200.0]),
        st.booleans(),
        st.sampled_from([None, None, None, 2.0, 20.0]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(many=arrivals, rpm=st.integers(1, 8), tpm=st.sampled_from([0, 4000, 9000]), takes=st.sampled_from([0.0, 3.0]))
def test_everyone_is_served_or_refused_by_the_deadline_and_no_limit_is_passed(
    many: list[tuple[float, str, int, float, bool, float | None]], rpm: int, tpm: int, takes: float
):
    async def main() -> None:
        entry = Told(
            headers={"content-type": "application/json"}, head_after=takes, steps=replied(completion(TEXT)).steps
        )
        lab = lab_of(f"rpm = {rpm}, tpm = {tpm}", entry=entry)
        loop = asyncio.get_running_loop()
        began: list[tuple[Caller, float, bool]] = []

        async def arrive(at: float, key: str, words: int, patience: float, stream: bool, leaves: float | None) -> None:
            await asyncio.sleep(at)
            said = {"x-hermes-max-wait": str(patience)}
            caller = lab.begin(key=key, text="word " * words, stream=stream, headers=said)
            began.append((caller, patience, leaves is not None))
            if leaves is not None:
                await asyncio.sleep(leaves)
                caller.left.set()
            await caller.task

        await asyncio.gather(*(arrive(*one) for one in many))
        for caller, patience, left in began:
            took = caller.ended_at - caller.began
            assert took <= patience * 1.01 + takes + 0.2, f"{took} s of {patience}"
            assert left or caller.status in (200, 400, 503)
            if caller.status == 503 and "retry-after" in caller.headers:
                assert int(caller.headers["retry-after"]) >= 1
        assert most_within(sorted(asked.at for asked in lab.up.asked), 60.0) <= rpm
        assert lab.app.runtime.engine.room.waiting == []
        assert lab.app.runtime.engine.open == 0
        assert lab.app.runtime.pool.ledger.open_leases == 0
        assert loop.time() < 400

    run(main)


def most_within(times: list[float], seconds: float) -> int:
    """The most calls that any window of this length saw."""
    return max((sum(at <= one < at + seconds for one in times) for at in times), default=0)
