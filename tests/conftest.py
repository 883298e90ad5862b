"""What the tests of all parts have in common."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Home Assistant's fixtures are coroutines. The trainer's environment has no such
    # plug-in, so the mode cannot stand in pyproject.toml.
    if config.pluginmanager.hasplugin("asyncio"):
        config.option.asyncio_mode = "auto"
