"""Why a broker does not let us in: its clients know, but tell only that no broker could be reached.

Each address is knocked at step by step, as a client would: connect, TLS, the two first questions, the password. What a
broker that is merely away would show as well is never taken for a refusal.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from aiokafka.conn import collect_hosts
from aiokafka.errors import IllegalSaslStateError, KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

from shared.runtime.kafka_clients import new_client, try_login
from shared.runtime.kafka_security import Access, Security
from shared.runtime.stop import StopReason

KNOCK_SECONDS: Final = 10.0
ANSWER_BYTES_MAX: Final = 1024 * 1024
_LENGTH: Final = struct.Struct(">i")
_NAMELESS: Final = -1
_WHAT_DO_YOU_SPEAK: Final = struct.pack(">hhih", 18, 0, 1, _NAMELESS)
"""ApiVersions 0: answered to everybody with whom the connection stands."""
_WHO_ARE_YOU: Final = struct.pack(">hhihi", 3, 1, 2, _NAMELESS, 0)
"""Metadata 1 of no topic: answered where nobody has to say who is calling, or has said so."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why we are not let in, for good until somebody changes something: one sentence, without a secret."""

    reason: StopReason
    problem: str


async def why_refused(access: Access) -> Refusal | None:
    """Return why no client gets in at any of the addresses, or at those that the brokers name; None: nobody refuses.

    Raises:
        UnusableSecurity: A file that settings name cannot be used.
    """
    hosts = [(host, port) for host, port, _ in collect_hosts(access.broker)]
    found = [await _knock(host, port, access.security) for host, port in hosts]
    if any(refusal is not None for refusal in found):
        return next(refusal for refusal in found if refusal is not None)
    for host, port in await _named_by_brokers(access):
        if (host, port) not in hosts and (refusal := await _knock(host, port, access.security)) is not None:
            return refusal
    return None


async def _named_by_brokers(access: Access) -> list[tuple[str, int]]:
    """Return where the brokers themselves say that they are; nothing where they do not answer."""
    client = new_client(access)
    try:
        await client.bootstrap()
        return [(broker.host, broker.port) for broker in client.cluster.brokers()]
    except KafkaError:
        return []
    finally:
        await client.close()


async def _knock(host: str, port: int, security: Security) -> Refusal | None:
    """Return why this address refuses; None where it lets us in, or is away."""
    where = f"{host}:{port}"
    try:
        async with asyncio.timeout(KNOCK_SECONDS):
            refusal = await _questions(host, port, security)
            if refusal is None and security.protocol.has_sasl:
                refusal = await _login(host, port, security)
    except (TimeoutError, OSError):
        return None
    return None if refusal is None else Refusal(refusal.reason, f"Kafka at {where} {refusal.problem}")


async def _questions(host: str, port: int, security: Security) -> Refusal | None:
    try:
        async with _connected(host, port, security.context()) as (reader, writer):
            speaks = await _answers(reader, writer, _WHAT_DO_YOU_SPEAK)
            if speaks and (security.protocol.has_sasl or await _answers(reader, writer, _WHO_ARE_YOU)):
                return None
    except ssl.SSLCertVerificationError as error:
        problem = f"shows a certificate that cannot be trusted: {error.verify_message}"
        return Refusal(StopReason.BROKER_UNTRUSTED, problem)
    except ssl.SSLError as error:
        return await _after_tls_failed(host, port, error)
    except ConnectionError:
        speaks = False
    if speaks:
        return Refusal(StopReason.WRONG_PROTOCOL, f"wants a user, and security_protocol is {security.protocol}")
    if security.protocol.has_tls:
        return await _after_tls_failed(host, port, None)
    return await _after_plain_failed(host, port, security)


async def _after_tls_failed(host: str, port: int, error: ssl.SSLError | None) -> Refusal | None:
    """Judge a connection that broke after TLS had begun: over our certificate, or because there is no TLS."""
    with suppress(ConnectionError):
        async with _connected(host, port, None) as (reader, writer):
            if await _answers(reader, writer, _WHAT_DO_YOU_SPEAK):
                return Refusal(StopReason.WRONG_PROTOCOL, "speaks without TLS there, and security_protocol says with")
    if await _speaks_tls(host, port):
        said = "" if error is None else f": {(error.reason or 'refused').lower().replace('_', ' ')}"
        return Refusal(StopReason.LOGIN_REFUSED, f"does not accept our certificate, or wants one{said}")
    return None


async def _after_plain_failed(host: str, port: int, security: Security) -> Refusal | None:
    if await _speaks_tls(host, port):
        problem = f"speaks TLS there, and security_protocol is {security.protocol}"
        return Refusal(StopReason.WRONG_PROTOCOL, problem)
    return None


async def _speaks_tls(host: str, port: int) -> bool:
    """Whether anybody answers a TLS greeting there; nothing is said to them, so it does not matter who."""
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        async with _connected(host, port, anybody):
            return True
    except OSError:
        return False


async def _login(host: str, port: int, security: Security) -> Refusal | None:
    """Say who we are, and return why that is refused."""
    try:
        await try_login(host, port, security)
    except SaslAuthenticationFailed:
        problem = f"does not know the user {security.user} with this password ({security.mechanism})"
        return Refusal(StopReason.LOGIN_REFUSED, problem)
    except UnsupportedSaslMechanismError:
        return Refusal(StopReason.LOGIN_REFUSED, f"does not offer sasl_mechanism {security.mechanism}")
    except IllegalSaslStateError:
        problem = f"asks for no user there, and security_protocol is {security.protocol}"
        return Refusal(StopReason.WRONG_PROTOCOL, problem)
    except ValueError:
        return Refusal(StopReason.BROKER_UNTRUSTED, "could not prove that it knows the user's password")
    except KafkaError:
        return None
    return None


@asynccontextmanager
async def _connected(
    host: str, port: int, context: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        if context is not None:
            await writer.start_tls(context, server_hostname=host)
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: bytes) -> bool:
    """Whether a whole answer comes."""
    writer.write(_LENGTH.pack(len(question)) + question)
    await writer.drain()
    try:
        length = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))[0]
        if not 0 < length <= ANSWER_BYTES_MAX:
            return False
        await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return False
    return True
