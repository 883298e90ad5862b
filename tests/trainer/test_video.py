"""Videos read as a player shows them, and written for any player."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.video import Video, VideoError, Writer


def shade(value: int) -> NDArray[np.uint8]:
    """A picture darker on its left half."""
    image = np.full((64, 97, 3), value, np.uint8)
    image[:, :48] = 0
    return image


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures, the clock stopping for a second after the fifth."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with Writer(path) as writer:
        for number in range(10):
            writer.write(shade(100 + 10 * number), number / 10 + (number >= 5))
    return path


def test_pictures_come_with_their_times(film: Path) -> None:
    frames = list(Video(film).frames())
    assert [frame.number for frame in frames] == list(range(10))
    assert [round(frame.time, 2) for frame in frames[3:7]] == [0.3, 0.4, 1.5, 1.6]
    assert frames[0].image.shape == (64, 98, 3)  # even, as H.264 wants it
    assert [round(float(frame.image[:, 60:90].mean()), -1) for frame in frames] == [
        100 + 10 * number for number in range(10)
    ]


def test_every_third(film: Path) -> None:
    video = Video(film, every=3)
    assert [frame.number for frame in video.frames()] == [0, 3, 6, 9]
    assert video.total == 4


@pytest.mark.parametrize(
    ("matrix", "dark"),
    [
        ((0, 1, -1, 0), np.s_[:40]),  # a quarter to the right: left is up
        ((-1, 0, 0, -1), np.s_[:, 60:]),
        ((0, -1, 1, 0), np.s_[60:]),
    ],
)
def test_a_film_made_sideways_is_turned(
    film: Path, tmp_path: Path, matrix: tuple[int, ...], dark: tuple[slice, ...]
) -> None:
    data = bytearray(film.read_bytes())
    header = data.index(b"tkhd") + 44  # where the track header has its matrix
    a, b, c, d = (value << 16 for value in matrix)
    numbers = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    data[header : header + 36] = b"".join(n.to_bytes(4, "big", signed=True) for n in numbers)
    (tmp_path / "turned.mp4").write_bytes(data)
    image = next(Video(tmp_path / "turned.mp4").frames()).image
    assert image.shape[:2] == ((64, 98) if matrix[0] else (98, 64))
    assert image[dark].mean() < 20
    assert image.mean() > 40


def test_a_film_cut_short_gives_what_it_has(film: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    with (
        av.open(str(film)) as source,
        av.open(str(whole), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert len(list(Video(whole).frames())) == 10
    cut.write_bytes(whole.read_bytes()[:-60])
    frames = Video(cut).frames()
    assert next(frames).number == 0
    with pytest.raises(VideoError, match=r"cut\.mp4: .*(damaged|cut short).* again"):
        list(frames)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"no video at all", "is not a video"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfilm.mp4\n#EXT-X-ENDLIST\n", "is not a"),
        (b"ffconcat version 1.0\nfile film.mp4\n", "is not a video"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_video(film: Path, tmp_path: Path, content: bytes | None, message: str) -> None:
    (tmp_path / "film.mp4").write_bytes(film.read_bytes())
    path = tmp_path / "other.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=message) as raised:
        Video(path)
    assert str(path) in str(raised.value)


def test_sound_alone(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        silence = np.zeros((1, 1024), np.float32)
        sound = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match="holds no pictures, only sound"):
        Video(path)


def test_what_is_not_finished_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"

    def stopped() -> None:
        with Writer(path) as writer:
            writer.write(shade(100), 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert list(tmp_path.iterdir()) == []
