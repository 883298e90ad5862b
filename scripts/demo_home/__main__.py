"""Run the demonstration: `python -m demo_home`."""

import signal
import sys

# Until the program listens for it, Ctrl-C ends it without a word.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from .program import main  # noqa: E402

sys.exit(main())
