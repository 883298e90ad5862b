"""Settings for all tests."""

import os

from hypothesis import settings

# Machines are shared: how long an example takes says nothing about the code. The same examples
# each time, so that no change is blamed for what it did not do; `long` looks for new ones.
settings.register_profile("agegender", deadline=None, derandomize=True, max_examples=60)
settings.register_profile(
    "long", deadline=None, max_examples=int(os.environ.get("FUZZ_INPUTS", "2000"))
)
settings.load_profile("agegender")
