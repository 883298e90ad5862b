"""What goes wrong because of a file or a setting, in words for the person at the keyboard."""

from __future__ import annotations


class InputError(ValueError):
    """A file, folder or setting given by the user cannot be used; the text says what to do.

    The command line prints the text without a traceback and exits with status 2.
    """
