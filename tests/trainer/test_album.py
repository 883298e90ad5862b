"""Where annotated copies go, and heads that a detector missed for a moment."""

from pathlib import Path

import numpy as np
import pytest

from trainer.album import Album, Look
from trainer.errors import InputError
from trainer.video import Video, Writer

FACE = {"box": [40, 50, 30, 40], "age_low": 20, "age_high": 30, "p_female": 0.9}


def test_a_head_stays_covered_where_it_was_missed(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (160, 160, 3), np.uint8)
    source, copies = tmp_path / "film.mp4", tmp_path / "copies"
    times = [0.0, 0.2, 0.4, 0.6, 2.0]
    with Writer(source) as writer:
        for time in times:
            writer.write(image, time)
    looks = [Look(time, [FACE] if number in {0, 2} else []) for number, time in enumerate(times)]
    Album(copies, [source], anonymise=True).clip(Video(source), looks)
    # The copy is enlarged three times; the middle of the face is at (55, 70).
    middles = [frame.image[190:230, 150:180].std() for frame in Video(copies / "film.mp4").frames()]
    assert [deviation < 25 for deviation in middles] == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("sources", "copies"),
    [
        (["a/x.jpg"], ["x.jpg"]),
        (["a/x.jpg", "b/x.jpg"], ["a/x.jpg", "b/x.jpg"]),
        (["a/x.jpg", "a/b/c/y.JPG"], ["x.jpg", "b/c/y.JPG"]),
        (["a/x.gif", "a/x.png"], ["x.gif.png", "x.png"]),
    ],
)
def test_each_copy_has_a_place_of_its_own(
    tmp_path: Path, sources: list[str], copies: list[str]
) -> None:
    paths = [tmp_path / name for name in sources]
    album = Album(tmp_path / "copies", paths)
    for path in paths:
        album.picture(path, np.zeros((4, 4, 3), np.uint8), [])
    made = (tmp_path / "copies").rglob("*")
    assert {p.relative_to(tmp_path / "copies") for p in made if p.is_file()} == set(
        map(Path, copies)
    )


def test_no_source_is_replaced(tmp_path: Path) -> None:
    sources = [tmp_path / "x.jpg", tmp_path / "copies" / "x.jpg"]
    with pytest.raises(InputError, match=r"copies/x\.jpg: would be replaced by its copy"):
        Album(tmp_path / "copies", sources)
