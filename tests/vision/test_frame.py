"""Whatever a camera sends becomes an upright RGB picture or one clear refusal."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agegender_vision.frame import FrameError, decode, longer_side, read, thumbnail


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png(pixels: NDArray[np.uint16], colour_type: int) -> bytes:
    """Write a 16-bit PNG; Pillow writes no 16-bit colour."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("file_format", ["PNG", "BMP"])
def test_lossless_formats_come_back_exactly(photograph: Image.Image, file_format: str) -> None:
    decoded = decode(encoded(photograph, file_format))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, np.asarray(photograph))


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "GIF", "MPO"])
def test_lossy_formats_come_back_nearly(photograph: Image.Image, file_format: str) -> None:
    decoded = decode(encoded(photograph, file_format)).astype(int)
    assert np.abs(decoded - np.asarray(photograph)).mean() < 8


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [
        ("L", "PNG"),
        ("L", "JPEG"),
        ("1", "PNG"),
        ("P", "PNG"),
        ("LA", "PNG"),
        ("RGBA", "PNG"),
        ("RGBA", "WEBP"),
        ("CMYK", "JPEG"),
    ],
)
def test_other_colour_modes_become_rgb(
    photograph: Image.Image, mode: str, file_format: str
) -> None:
    decoded = decode(encoded(photograph.convert(mode), file_format))
    assert decoded.shape == (96, 128, 3)
    assert abs(float(decoded.mean()) - float(np.asarray(photograph.convert("L")).mean())) < 12


def test_transparent_parts_show_grey_whatever_colour_they_hide() -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    image.putpixel((0, 0), (10, 20, 30, 255))
    decoded = decode(encoded(image))
    assert decoded[0, 0].tolist() == [10, 20, 30]
    assert decoded[3, 3].tolist() == [128, 128, 128]


def test_16_bit_greyscale_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256 * 4).astype(np.uint16).reshape(4, 256)
    expected = np.broadcast_to((ramp >> 8)[..., None], (4, 256, 3))
    np.testing.assert_array_equal(decode(png(ramp, colour_type=0)), expected)


def test_16_bit_colour_is_scaled_not_clipped() -> None:
    pixels = np.array([[[0, 32768, 65535], [256, 512, 1024]]], np.uint16)
    np.testing.assert_array_equal(decode(png(pixels, colour_type=2)), pixels >> 8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(photograph: Image.Image, orientation: int) -> None:
    undone = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = photograph if undone is None else photograph.transpose(undone)
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode(encoded(stored, "JPEG", exif=exif, quality=95)).astype(int)
    assert decoded.shape == (96, 128, 3)
    assert np.abs(decoded - np.asarray(photograph)).mean() < 8


@pytest.mark.parametrize(
    ("enough", "factor"), [(601, 1), (600, 1), (301, 1), (300, 2), (150, 4), (75, 8)]
)
@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_a_picture_is_reduced_by_the_largest_factor_that_leaves_enough(
    grace_hopper: NDArray[np.uint8], enough: int, factor: int, file_format: str
) -> None:
    decoded = decode(encoded(Image.fromarray(grace_hopper), file_format), enough=enough)
    expected = np.asarray(Image.fromarray(grace_hopper).reduce(factor))
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).mean() < 6


@pytest.mark.parametrize(("progressive", "factor"), [(False, 2), (True, 3)])
def test_a_jpeg_is_reduced_while_it_is_decoded_unless_it_is_progressive(
    grace_hopper: NDArray[np.uint8], progressive: bool, factor: int
) -> None:
    data = encoded(Image.fromarray(grace_hopper), "JPEG", progressive=progressive)
    assert max(decode(data, enough=200).shape) == 600 // factor


def test_a_thumbnail_is_the_picture_small_and_grey(grace_hopper: NDArray[np.uint8]) -> None:
    expected = np.asarray(Image.fromarray(grace_hopper).convert("L").reduce(8)).astype(int)
    small = thumbnail(encoded(Image.fromarray(grace_hopper), "JPEG"))
    assert small.dtype == np.uint8
    assert small.shape == expected.shape == (75, 64)
    assert np.abs(small - expected).mean() < 2


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "BMP", "GIF", "JPEG", None])
@pytest.mark.parametrize("size", [(40, 30), (640, 480), (1920, 1080), (3000, 500)])
def test_a_thumbnail_of_any_picture_is_small(
    photograph: Image.Image, size: tuple[int, int], file_format: str | None
) -> None:
    image = photograph.resize(size)
    small = thumbnail(encoded(image, file_format) if file_format else np.asarray(image))
    assert max(small.shape) < 256
    assert small.shape[1] / small.shape[0] == pytest.approx(size[0] / size[1], rel=0.1)
    assert abs(float(small.mean()) - float(np.asarray(image.convert("L")).mean())) < 12


def test_the_longer_side_is_read_from_the_header(grace_hopper: NDArray[np.uint8]) -> None:
    assert longer_side(grace_hopper) == 600
    data = encoded(Image.fromarray(grace_hopper), "JPEG")
    assert longer_side(data) == longer_side(data[:2000]) == 600
    with pytest.raises(FrameError, match=r"empty \(0 bytes\)"):
        longer_side(b"")


def test_a_thumbnail_of_what_is_no_picture_is_refused() -> None:
    with pytest.raises(FrameError, match=r"empty \(0 bytes\)"):
        thumbnail(b"")
    with pytest.raises(FrameError, match="not a picture in a known format"):
        thumbnail(b"<html>401 Unauthorized</html>")


def test_no_bytes() -> None:
    with pytest.raises(FrameError, match=r"empty \(0 bytes\).*check that the camera"):
        decode(b"")


@pytest.mark.parametrize("data", [b"<html>401 Unauthorized</html>", b"\0" * 1000, b"\xff\xd8"])
def test_no_picture(data: bytes) -> None:
    with pytest.raises(FrameError, match=r"not a picture in a known format|damaged"):
        decode(data)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated(photograph: Image.Image, file_format: str, share: float) -> None:
    data = encoded(photograph, file_format)
    with pytest.raises(FrameError, match=r"damaged|cut short|not a picture"):
        decode(data[: int(len(data) * share)])


def test_corrupt_jpeg(grace_hopper_file: Path) -> None:
    data = bytearray(grace_hopper_file.read_bytes())
    data[2:400] = b"\x55" * 398
    with pytest.raises(FrameError, match=r"not a picture in a known format|damaged"):
        decode(bytes(data))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_damage_anywhere_gives_a_picture_or_our_error(
    photograph: Image.Image, file_format: str
) -> None:
    data = encoded(photograph.resize((32, 24)), file_format)
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = np.frombuffer(data, np.uint8).copy()
        where = random.integers(0, len(damaged), random.integers(1, 20))
        damaged[where] = random.integers(0, 256, len(where))
        try:
            assert decode(damaged.tobytes(), max_pixels=10_000).shape[2] == 3
        except FrameError:
            refused += 1
    assert refused > 0


def test_the_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "porch.jpg"
    with pytest.raises(FrameError, match=r"porch\.jpg: cannot be read \(No such file"):
        read(path)
    path.write_bytes(b"")
    with pytest.raises(FrameError, match=r"porch\.jpg: the frame is empty"):
        read(path)


def test_more_pixels_than_allowed(photograph: Image.Image) -> None:
    data = encoded(photograph)
    assert decode(data, max_pixels=96 * 128).shape == (96, 128, 3)
    with pytest.raises(FrameError, match=r"128x96 pixels.*set the camera to a lower resolution"):
        decode(data, max_pixels=96 * 128 - 1)


HUNDRED_MEGAPIXELS = """
import sys, time
from pathlib import Path
from agegender_vision.frame import FrameError, decode

def peak():
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l)
    return int(line.split()[1]) / 1024

data = Path(sys.argv[1]).read_bytes()
before, start = peak(), time.perf_counter()
try:
    result = decode(data, enough=int(sys.argv[2]) or None).shape
except FrameError as error:
    result = str(error)
print(time.perf_counter() - start, peak() - before, result, sep="|")
"""


@pytest.fixture(scope="module")
def hundred_megapixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    image = Image.linear_gradient("L").resize((10_000, 10_000))
    image.save(folder / "baseline.jpg")
    image.save(folder / "progressive.jpg", progressive=True)
    image.convert("1").save(folder / "one_bit.png")
    return folder


def decoded_alone(path: Path, enough: int) -> tuple[float, float, str]:
    """Decode in a process of its own: seconds, MiB more than before, and the result."""
    if not Path("/proc/self/status").exists():
        pytest.skip("reads a process's peak memory from /proc, which is not here")
    output = subprocess.run(
        [sys.executable, "-c", HUNDRED_MEGAPIXELS, path, str(enough)],
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    seconds, mebibytes, result = output.strip().split("|")
    return float(seconds), float(mebibytes), result


@pytest.mark.parametrize(
    ("name", "enough"),
    [("baseline.jpg", 0), ("one_bit.png", 0), ("one_bit.png", 1280), ("progressive.jpg", 1280)],
)
def test_100_megapixels_are_refused_at_once_without_taking_memory(
    hundred_megapixels: Path, name: str, enough: int
) -> None:
    seconds, mebibytes, result = decoded_alone(hundred_megapixels / name, enough)
    assert "10000x10000 pixels, more than the limit of 50 million" in result
    assert seconds < 1
    assert mebibytes < 20


def test_100_megapixels_pass_as_a_jpeg_decoded_at_reduced_scale(
    hundred_megapixels: Path,
) -> None:
    _, mebibytes, result = decoded_alone(hundred_megapixels / "baseline.jpg", 1000)
    assert result == "(1250, 1250, 3)"
    assert mebibytes < 100


def odd_frames() -> dict[str, bytes]:
    """Frames on which Pillow itself comments."""
    image = Image.new("RGB", (64, 48))
    entries = b"\x01\x12\0\3\0\0\0\1\0\6\0\0\x82\x9a\0\5\0\0\0\1\xff\xff\xff\0"
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x09" + entries
    damaged = encoded(image, "JPEG")
    damaged = damaged[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + damaged[2:]
    photos = encoded(image, "MPO", save_all=True, append_images=[image])
    return {
        "EXIF data cut short": damaged,
        "an MPO whose index is damaged": photos.replace(b"0100", b"0199"),
        "100 megapixels": encoded(Image.new("1", (10_000, 10_000)), "PNG"),
    }


def test_odd_frames_leave_no_line_in_a_log(tmp_path: Path) -> None:
    program = f"""
import logging, sys, warnings
from pathlib import Path
if sys.argv[1] == "ours":
    from agegender_vision.frame import FrameError, decode, thumbnail
logging.basicConfig(level=logging.DEBUG)
logging.captureWarnings(True)
from PIL import Image, ImageOps
for path in sorted(Path({str(tmp_path)!r}).iterdir()):
    logging.getLogger("PIL").setLevel(logging.WARNING)
    if sys.argv[1] == "Pillow":
        ImageOps.exif_transpose(Image.open(path))
        continue
    for look in (decode, thumbnail):
        try:
            look(path.read_bytes())
        except FrameError:
            pass
"""
    frames = odd_frames()
    for name, data in frames.items():
        (tmp_path / name).write_bytes(data)

    def logged(by: str) -> list[str]:
        command = [sys.executable, "-W", "always", "-c", program, by]
        source = {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=source)
        return [line for line in done.stderr.splitlines() if line.startswith("WARNING")]

    assert len(logged("Pillow")) >= len(frames), "the frames are odd"
    assert logged("ours") == []
