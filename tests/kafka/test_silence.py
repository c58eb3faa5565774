"""A coordinator that nobody knows, a clock that is heard no more: silence is not taken for an answer."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from shared.contract.repayments import REPAYMENTS
from shared.contract.ticks import LOAN_CLOCK, Tick, TimeMode
from shared.runtime import kafka_offsets
from shared.runtime.clock_log import ClockTail, TickWriter
from shared.runtime.kafka_offsets import GroupUnanswered
from shared.runtime.participant import Participant
from tests.kafka.house import House
from tests.kafka.message_sizes import refuse_everything
from tests.shared.engine.toy import HOUR_MS, POLICY, START_MS

pytestmark = pytest.mark.kafka


@pytest.fixture
async def house(kafka, tmp_path, own_name):
    """Topics of its own on the session's broker, in simulated time."""
    async with House(kafka, tmp_path, own_name, mode=TimeMode.SIMULATED) as house:
        yield house


async def tick(house, number):
    """Write one tick to all partitions of the clock."""
    writer = TickWriter(house.settings)
    await writer.start()
    at = START_MS + number * HOUR_MS
    ticks = [(p, Tick(at=at, barriers={}, policy=POLICY)) for p in range(house.settings.loan_partitions)]
    await writer.write(LOAN_CLOCK, ticks)
    await writer.stop()
    return at


async def answer_one(house):
    """Take part until one moment is answered; return its instant."""
    async with Participant(house.settings, "lender", LOAN_CLOCK) as lender:
        async for moment in lender.moments():
            await lender.answer(moment)
            return moment.at
    raise AssertionError("no moment came")


def silence_coordinators(monkeypatch, questions):
    """Let nobody know the coordinator of any group, for so many questions."""
    asked, find = [], AIOKafkaAdminClient.find_coordinator

    async def unknown_at_first(admin, *arguments, **more):
        asked.append(arguments)
        if len(asked) <= questions:
            raise GroupCoordinatorNotAvailableError
        return await find(admin, *arguments, **more)

    monkeypatch.setattr(AIOKafkaAdminClient, "find_coordinator", unknown_at_first)
    monkeypatch.setattr(kafka_offsets, "LOOK_SECONDS", 0.05)
    return asked


async def test_what_was_answered_is_not_answered_again_because_the_coordinator_is_unknown(house, monkeypatch):
    """It asks again instead of beginning at nought: the next moment is the next tick, not the one answered before."""
    await tick(house, 0)
    assert await asyncio.wait_for(answer_one(house), 60) == START_MS
    asked = silence_coordinators(monkeypatch, 3)
    again = asyncio.create_task(answer_one(house))
    while len(asked) < 4 and not again.done():  # noqa: ASYNC110 - what the client asks, it tells nobody
        await asyncio.sleep(0.05)
    second = await tick(house, 1)
    assert await asyncio.wait_for(again, 60) == second


async def test_who_never_learns_where_it_stands_says_so(house, monkeypatch):
    """Without a coordinator there is an error that names the group, and nothing was reported under its name."""
    silence_coordinators(monkeypatch, 10**6)
    await tick(house, 0)
    with pytest.raises(GroupUnanswered, match=house.settings.group("lender")):
        await asyncio.wait_for(answer_one(house), 60)
    monkeypatch.undo()
    async with kafka_offsets.GroupProgress(house.settings.access) as groups:
        clock = house.settings.topic(LOAN_CLOCK)
        assert await groups.insist(house.settings.group("lender"), clock, house.settings.loan_partitions) == {}


async def test_what_a_group_has_applied_is_asked_again_too(house, monkeypatch):
    """Whoever takes a fact out of a service's way must know that it has not been applied."""
    await tick(house, 0)
    await asyncio.wait_for(answer_one(house), 60)
    silence_coordinators(monkeypatch, 3)
    async with kafka_offsets.GroupProgress(house.settings.access) as groups:
        assert await groups.offset_of(house.settings.group("lender"), house.settings.topic(LOAN_CLOCK), 0) == 0


async def test_a_record_that_the_broker_refused_is_not_answered_for(house):
    """A moment is not reported as answered while what was published at it is not in Kafka."""
    await tick(house, 0)
    await refuse_everything(house.settings, REPAYMENTS, b"loan")

    async def publish_and_answer():
        async with Participant(house.settings, "lender", LOAN_CLOCK) as lender:
            async for moment in lender.moments():
                await lender.publish(REPAYMENTS, b"loan", b"paid")
                await lender.answer(moment)
                return

    with pytest.raises(MessageSizeTooLargeError):
        await asyncio.wait_for(publish_and_answer(), 60)
    async with kafka_offsets.GroupProgress(house.settings.access) as groups:
        clock = house.settings.topic(LOAN_CLOCK)
        reported = await groups.insist(house.settings.group("lender"), clock, house.settings.loan_partitions)
        assert set(reported.values()) == {0}


async def test_who_hears_the_clock_no_more_ends_with_the_reason(house, monkeypatch):
    """A moment that can never come is not waited for: what ended the reading of ticks ends the participant."""
    await tick(house, 0)
    denied, poll = asyncio.Event(), ClockTail.poll

    async def poll_until_denied(tail):
        if denied.is_set():
            raise TopicAuthorizationFailedError(house.settings.topic(LOAN_CLOCK))
        await poll(tail)

    monkeypatch.setattr(ClockTail, "poll", poll_until_denied)

    async def take_part():
        async with Participant(house.settings, "lender", LOAN_CLOCK) as lender:
            async for moment in lender.moments():
                await lender.answer(moment)
                denied.set()

    with pytest.raises(TopicAuthorizationFailedError, match=house.settings.topic(LOAN_CLOCK)):
        await asyncio.wait_for(take_part(), 60)


async def test_who_waits_for_others_hears_that_the_clock_is_gone_as_well(house, monkeypatch):
    """Others that never come do not hide that there will be no more ticks."""
    await tick(house, 0)
    polls, poll = [], ClockTail.poll

    async def poll_then_fail(tail):
        polls.append(tail)
        if len(polls) > 5:
            raise TopicAuthorizationFailedError(house.settings.topic(LOAN_CLOCK))
        await poll(tail)

    monkeypatch.setattr(ClockTail, "poll", poll_then_fail)

    async def take_part():
        async with Participant(house.settings, "lender", LOAN_CLOCK, after=("reminder",)) as lender:
            async for moment in lender.moments():
                await lender.answer(moment)

    with pytest.raises(TopicAuthorizationFailedError):
        await asyncio.wait_for(take_part(), 60)
