"""Where frames come from: cameras of any kind, read in a thread, of which the newest counts."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from trainer.video import FORMATS, MAX_PIXELS, upright
from trainer.watch.settings import redacted

LOGGER = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds until a camera must have answered, or have delivered its next frame."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds between attempts to open a source; doubled from the one to the other."""
ENOUGH = 1280
"""Larger frames are reduced by a whole factor that leaves so many pixels of the longer side;
up to here, sizes of faces are measured in pixels of the frame itself."""
_PICAMERA_SIZE = (1280, 720)
# A stream from outside names no file of this machine.
_PROTOCOLS = "crypto,http,https,httpproxy,rtp,rtsp,rtsps,srtp,tcp,tls,udp"


class SourceError(Exception):
    """A source that cannot be read now; the message says why."""


class Frame(NamedTuple):
    """A frame as the source delivered it.

    Attributes
    ----------
    picture
        Not converted yet, as most frames never are.
    taken
        When it arrived, in monotonic seconds.
    """

    picture: VideoFrame
    taken: float

    def image(self) -> NDArray[np.uint8]:
        """Return the frame, (H, W, 3), uint8, RGB, upright.

        A frame larger than `ENOUGH` is reduced by a whole factor.
        """
        picture = self.picture
        factor = max(1, max(picture.width, picture.height) // ENOUGH)
        small = picture.reformat(
            picture.width // factor, picture.height // factor, "rgb24", interpolation="AREA"
        )
        return upright(small.to_ndarray(), picture)


def frames(source: str, over: threading.Event) -> Iterator[VideoFrame]:
    """Yield the frames of a source as they come; a file plays at its own speed.

    Parameters
    ----------
    source
        As in `CameraSettings`.
    over
        Ends the waiting between the frames of a file.

    Raises
    ------
    SourceError
        The source cannot be opened, or has ended.
    """
    try:
        if source.partition(":")[0] == "picamera":
            yield from _picamera(source)
        elif source.startswith("/dev/"):
            yield from _stream(source, "v4l2", {})
        elif "://" in source:
            yield from _stream(
                source, None, {"rtsp_transport": "tcp", "protocol_whitelist": _PROTOCOLS}
            )
        else:
            yield from _file(Path(source), over)
    except FFmpegError as error:
        raise SourceError(error.strerror or type(error).__name__) from error
    except OSError as error:
        raise SourceError(error.strerror or str(error)) from error


def _stream(source: str, kind: str | None, options: dict[str, str]) -> Iterator[VideoFrame]:
    with av.open(source, "r", format=kind, options=options, timeout=PATIENCE) as container:
        if not container.streams.video:
            raise SourceError("it has no pictures")
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except FFmpegError:  # a damaged packet; the next may be sound
                continue


def _file(path: Path, over: threading.Event) -> Iterator[VideoFrame]:
    start = monotonic()
    with (
        path.open("rb") as file,
        av.open(file, "r", options={"format_whitelist": FORMATS}) as container,
    ):
        if not container.streams.video:
            raise SourceError("it has no pictures")
        for picture in container.decode(video=0):
            if over.wait(max(0.0, start + (picture.time or 0.0) - monotonic())):
                return
            yield picture


def _picamera(source: str) -> Iterator[VideoFrame]:
    # Only on a Raspberry Pi, where it comes with the system's packages.
    try:
        picamera2: Any = import_module("picamera2")
    except ImportError as error:
        raise SourceError(
            f"the package picamera2 is not here ({error}): install python3-picamera2 with apt, "
            "and let the environment see the system's packages"
        ) from error
    number = source.partition(":")[2] or "0"
    try:
        camera = picamera2.Picamera2(int(number))
    except (IndexError, RuntimeError, ValueError) as error:
        raise SourceError(f"there is no camera {number} ({error})") from error
    try:
        # Called so by the order of the bits in a word: in memory it is red, green, blue.
        camera.configure(
            camera.create_video_configuration({"size": _PICAMERA_SIZE, "format": "BGR888"})
        )
        camera.start()
        while True:
            yield VideoFrame.from_ndarray(camera.capture_array("main"), format="rgb24")
    finally:
        camera.close()


class Grabber:
    """Reads a source in a thread of its own, and opens it again whenever it ends.

    Parameters
    ----------
    source
        As in `CameraSettings`.
    name
        Of the thread.
    """

    def __init__(self, source: str, name: str) -> None:
        """Start nothing yet."""
        self._source = source
        self._over = threading.Event()
        self._newest: Frame | None = None
        self._problem = "it has not delivered a frame yet"
        # Whoever hangs in a driver must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def problem(self) -> str:
        """Why there was no frame last."""
        return self._problem

    def start(self) -> None:
        """Open the source."""
        self._thread.start()

    def stop(self) -> None:
        """Close the source, if it answers within a second."""
        self._over.set()
        self._thread.join(1)

    def take(self) -> Frame | None:
        """Return the newest frame; None if there is none that was not taken yet."""
        frame, self._newest = self._newest, None
        return frame

    def _run(self) -> None:
        wait = FIRST_WAIT
        while not self._over.is_set():
            try:
                for picture in frames(self._source, self._over):
                    if self._over.is_set():
                        return
                    if picture.width * picture.height > MAX_PIXELS:
                        raise SourceError(  # noqa: TRY301
                            f"its frames have {picture.width}x{picture.height} pixels: set it "
                            "to a lower resolution"
                        )
                    self._newest = Frame(picture, monotonic())
                    self._problem = f"no frame for {PATIENCE:g} s"
                    wait = FIRST_WAIT
            except SourceError as error:
                self._problem = str(error)
                LOGGER.debug("%s: %s", redacted(self._source), error)
            except Exception as error:  # noqa: BLE001  (a camera's driver raises anything)
                self._problem = f"{type(error).__name__}: {error}"
                LOGGER.debug("%s: %s", redacted(self._source), self._problem)
            # Not all nodes of a fleet at once.
            self._over.wait(wait * random.uniform(0.8, 1.2))  # noqa: S311
            wait = min(2 * wait, LONGEST_WAIT)
