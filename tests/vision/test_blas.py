"""Matrix products stay on the calling thread, and NumPy is left as it was."""

import subprocess
import sys

PROGRAM = """
import numpy as np
from agegender_vision.runtime import blas

inside = []
before = blas.thread_count()
try:
    with blas.one_thread():
        inside.append(blas.thread_count())
        np.ones((300, 300), np.float32) @ np.ones((300, 300), np.float32)
        raise KeyError
except KeyError:
    pass
print(before, *inside, blas.thread_count())
"""


def test_one_thread_inside_the_block_and_as_many_as_before_after_it() -> None:
    # A process of its own: the number of threads is chosen when NumPy is loaded.
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": ":".join(sys.path), "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == ["2", "1", "2"]
