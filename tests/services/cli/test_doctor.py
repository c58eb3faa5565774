"""The doctor on a real broker."""

import asyncio

from aiokafka import AIOKafkaProducer

from shared.contract.repayments import REPAYMENTS
from shared.runtime.examination import Examination, Finding
from shared.runtime.records import Deployment
from shared.runtime.settings import Settings
from tests.services.cli.conftest import Run
from tests.services.cli.topic_set import PARTITIONS


def test_the_doctor_says_what_to_do_and_what_is_well(run: Run, deployment: Deployment) -> None:
    """Topics without clock and services: broker and topics are well, clock and services must be started."""
    code, out, _ = run("doctor", deployment=deployment)
    lines = out.splitlines()
    assert code == 1
    assert any(line.startswith("ok  broker") for line in lines)
    assert any(line.startswith("ok  transactions") for line in lines)
    clock = next(i for i, line in enumerate(lines) if line.startswith("DO  clock"))
    assert "duecourse run clock" in lines[clock + 1]
    assert lines[-1].endswith("things to do")


def test_the_doctor_predicts_the_silence_of_an_import(run: Run, deployment: Deployment) -> None:
    """So many records take so long, by the rate that was measured, and more instances share the work."""
    _, out, _ = run("doctor", "--import", "300000", "--rate", "1500", deployment=deployment)
    (line,) = [line for line in out.splitlines() if line.startswith("DO  import")]
    assert "300,000 records more" in line
    assert "about 200 s with one instance each" in line
    assert "1,500 a second" in line
    _, out, _ = run("doctor", "--import", "3000", deployment=deployment)
    assert any(line.startswith("ok  import") for line in out.splitlines())


async def _around_a_transaction(deployment: Deployment) -> tuple[Finding, Finding]:
    """Return what the doctor finds of transactions while a stranger's is open, and after its end."""
    stranger = AIOKafkaProducer(bootstrap_servers=deployment.broker, transactional_id="forgotten")
    await stranger.start()
    await stranger.begin_transaction()
    await stranger.send_and_wait(deployment.topic(REPAYMENTS), b"{", partition=0)
    during = await _of_transactions(deployment)
    await stranger.abort_transaction()
    await stranger.stop()
    return during, await _of_transactions(deployment)


async def _of_transactions(deployment: Deployment) -> Finding:
    settings = Settings(
        broker=deployment.broker, prefix=deployment.prefix, loan_partitions=PARTITIONS, borrower_partitions=PARTITIONS
    )
    (found,) = [it async for it in Examination(settings, ()).findings() if it.what == "transactions"]
    return found


def test_the_doctor_finds_a_transaction_that_hangs(deployment: Deployment) -> None:
    """What somebody's open transaction hides is named by topic and partition, until it ends."""
    during, after = asyncio.run(_around_a_transaction(deployment))
    assert f"{deployment.topic(REPAYMENTS)}/0" in during.found
    assert during.advice
    assert after.is_well
