"""Credit reporting as a Faust app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.credit_report.census import count
from services.credit_report.processor import PROCESSOR
from shared.runtime import application
from shared.runtime.settings import Settings


def create_app(settings: Settings, policies: Mapping[str, Any]) -> application.ServiceApp:
    """Return the service around its processor; `policies` are all that this instance knows, by hash."""
    return application.create_app(PROCESSOR, settings, policies, census=count)
