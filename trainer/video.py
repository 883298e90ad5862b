"""Videos as upright pictures with their times, and pictures as a video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

SUFFIXES = {
    *(".3gp", ".avi", ".flv", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".ogv", ".ts", ".webm", ".wmv"),
}
# FFmpeg goes by the content. Left out are its playlists, which name other files and addresses.
FORMATS = "asf,avi,flv,matroska,mjpeg,mov,mpeg,mpegts,ogg"
MAX_PIXELS = 50_000_000
_CLOCK = Fraction(1, 90_000)  # seconds to a tick in the videos we write


class VideoError(ValueError):
    """A video that cannot be read, or not to its end; the message says why."""


class Frame(NamedTuple):
    """One picture of a video.

    Attributes
    ----------
    number
        Its position in the video, from 0.
    time
        Seconds from the start of the video; never falls.
    image
        (H, W, 3), uint8, RGB, upright.
    """

    number: int
    time: float
    image: NDArray[np.uint8]


class Video:
    """A video file.

    Parameters
    ----------
    path
        The file. Its audio is not read.
    every
        Take every so manieth picture.

    Raises
    ------
    VideoError
        Not a video, cut short at its beginning, or with pictures that are too large.
    """

    def __init__(self, path: Path, every: int = 1) -> None:
        """Read the header."""
        self.path = path
        self._every = every
        with self._explained("is not a video, or is cut short"), self._opened() as container:
            stream = container.streams.video[0]
            pixels, self._frames = stream.width * stream.height, stream.frames
            self._rate = stream.average_rate or Fraction(25)
        if pixels > MAX_PIXELS:
            raise VideoError(
                f"{path}: its pictures have {pixels / 1e6:.0f} million pixels, more than the "
                f"limit of {MAX_PIXELS / 1e6:g} million: make a smaller copy"
            )

    @property
    def total(self) -> int | None:
        """How many pictures `frames` should yield; None where the file does not tell."""
        return -(-self._frames // self._every) or None

    def frames(self) -> Iterator[Frame]:
        """Decode the video, from the start.

        Raises
        ------
        VideoError
            It is damaged or ends early; whatever could be read was yielded before.
        """
        number, time = -1, 0.0
        with self._explained("is damaged"), self._opened() as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for number, frame in enumerate(_decoded(container, stream)):
                seconds = frame.time if frame.pts is not None else float(number / self._rate)
                time = max(time, seconds)
                if number % self._every == 0:
                    yield Frame(number, time, upright(frame.to_ndarray(format="rgb24"), frame))
        # Some files' headers count a few frames that no player shows.
        if number + 1 < 0.9 * self._frames:
            raise VideoError(
                f"{self.path}: ends after {number + 1} of {self._frames} pictures; "
                "the file was cut short: copy it again"
            )
        if number < 0:
            raise VideoError(f"{self.path}: holds no picture")

    @contextmanager
    def _opened(self) -> Iterator[InputContainer]:
        # A file that we opened: what is in it cannot make FFmpeg open another.
        if not self.path.stat().st_size:
            raise VideoError(f"{self.path}: is empty")
        with (
            self.path.open("rb") as file,
            av.open(file, "r", options={"format_whitelist": FORMATS}) as container,
        ):
            if not container.streams.video:
                raise VideoError(f"{self.path}: holds no pictures, only sound")
            yield container

    @contextmanager
    def _explained(self, problem: str) -> Iterator[None]:
        try:
            yield
        except FFmpegError as error:
            raise VideoError(
                f"{self.path}: {problem} ({error.strerror}): check that a player shows it, "
                "or copy it again"
            ) from error
        except OSError as error:
            raise VideoError(f"{self.path}: cannot be read ({error.strerror})") from error


class Writer:
    """Writes an H.264 video without sound; the file appears when it is complete.

    Parameters
    ----------
    path
        The file to write, in a folder that exists; replaced if there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")

    def __enter__(self) -> Self:
        self._container = av.open(str(self._part), "w", format="mp4")
        self._stream = self._container.add_stream("h264", options={"crf": "20"})
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _CLOCK
        self._size: tuple[int, int] | None = None
        return self

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Append a picture.

        Parameters
        ----------
        image
            (H, W, 3), uint8, RGB; the first sets the size of all.
        time
            Seconds from the start of the video.
        """
        if not self._size:
            height, width = image.shape[:2]
            # Colours have half the resolution, so the sides must be even.
            self._size = self._stream.width, self._stream.height = (
                width + width % 2,
                height + height % 2,
            )
        frame = VideoFrame.from_ndarray(image, format="rgb24").reformat(*self._size, "yuv420p")
        frame.pts, frame.time_base = round(time / _CLOCK), _CLOCK
        self._container.mux(self._stream.encode(frame))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Decode all that can be; damage is raised at the end."""
    damage = None
    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except FFmpegError as error:
                damage = error
    except FFmpegError as error:  # the rest cannot be read; what was, is still to come
        damage = error
        yield from stream.decode(None)
    if damage:
        raise damage


def upright(image: NDArray[Any], frame: VideoFrame) -> NDArray[np.uint8]:
    """Return a frame's picture as a player shows it: telephones film sideways and note the turn."""
    turned = np.rot90(image, round(frame.rotation / 90))
    return np.ascontiguousarray(turned, np.uint8)
