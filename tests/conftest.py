"""Settings for all tests."""

import os

from hypothesis import settings

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("agegender", deadline=None, max_examples=60)
settings.register_profile(
    "long", deadline=None, max_examples=int(os.environ.get("FUZZ_INPUTS", "2000"))
)
settings.load_profile("agegender")
