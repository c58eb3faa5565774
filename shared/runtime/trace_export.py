"""Whether spans are told, and to whom: as OpenTelemetry's own variables say, and not at all where they say nothing.

`OTEL_TRACES_EXPORTER` (`otlp`, `console`, `none`) turns traces on; endpoint, headers, sampler, batch sizes and resource
follow from the other `OTEL_...` variables. Nothing of OpenTelemetry is imported while it is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

from shared.runtime.pseudonyms import Pseudonyms
from shared.runtime.settings import Settings, UnusableSettings

if TYPE_CHECKING:
    from shared.runtime.tracing import Tracing

EXPORTER: Final = "OTEL_TRACES_EXPORTER"
DISABLED: Final = "OTEL_SDK_DISABLED"
_GROUP: Final = "opentelemetry_traces_exporter"
_OTLP: Final = {"otlp": "otlp_proto_http"}
_HOW: Final = "install `duecourse[tracing]`"


def tracing_from(
    environment: Mapping[str, str], service: str, settings: Settings, pseudonyms: Pseudonyms
) -> Tracing | None:
    """Return what tells spans, None where nobody wants them; raise `UnusableSettings` where they cannot be told."""
    exporter = environment.get(EXPORTER, "none").strip()
    if exporter in {"", "none"} or environment.get(DISABLED, "").lower() == "true":
        return None
    try:
        from shared.runtime.tracing import Tracing  # noqa: PLC0415 - costs a quarter of a second: only who traces pays
    except ImportError as error:
        raise UnusableSettings(f"{EXPORTER} is set, but OpenTelemetry is missing: {_HOW}") from error
    return Tracing(
        _provider(_exporter(exporter), _about(environment, service, settings)), service, settings, pseudonyms
    )


def _exporter(name: str) -> Any:
    for found in entry_points(group=_GROUP, name=_OTLP.get(name, name)):
        return found.load()()
    raise UnusableSettings(f"{EXPORTER}={name!r} names no exporter that is installed: {_HOW}")


def _about(environment: Mapping[str, str], service: str, settings: Settings) -> dict[str, str]:
    about = {"service.version": settings.build}
    return about if environment.get("OTEL_SERVICE_NAME") else {"service.name": f"duecourse-{service}", **about}


def _provider(exporter: Any, about: dict[str, str]) -> Any:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    from shared.runtime.tracing import DerivedIds  # noqa: PLC0415 - as above

    provider = TracerProvider(resource=Resource.create(about), id_generator=DerivedIds())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
