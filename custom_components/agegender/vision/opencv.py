"""OpenCV, where it is installed: nothing here needs it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from .plugins import PluginError


@cache
def opencv(detector: str) -> Any:
    """Return the module ``cv2``, set to one thread as everything here is.

    Parameters
    ----------
    detector
        Who asks.

    Raises
    ------
    PluginError
        It is not installed, or does not load.
    """
    try:
        cv2 = import_module("cv2")
    except ImportError as error:
        raise PluginError(
            f"the detector {detector!r} needs OpenCV, which does not load ({error}): "
            "install opencv-python-headless, or choose the detector 'mtcnn'"
        ) from error
    cv2.setNumThreads(1)
    return cv2
