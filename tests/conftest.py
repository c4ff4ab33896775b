"""Settings that hold for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No deadline: the machine is shared, and a slow example says nothing about the code.
settings.register_profile("caret", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("caret")

pytest_plugins = ["tests.gateways", "tests.stores"]
