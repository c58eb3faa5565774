"""The rate limiter as a Faust app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.rate_limiter.census import count
from services.rate_limiter.processor import PROCESSOR
from shared.runtime import application
from shared.runtime.settings import Settings


def create_app(settings: Settings, policies: Mapping[str, Any]) -> application.ServiceApp:
    """Return the service around its processor; `policies` are all that this instance knows, by hash."""
    return application.create_app(PROCESSOR, settings, policies, census=count)
