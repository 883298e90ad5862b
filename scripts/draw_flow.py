"""Draw the data flow of both halves for the documentation, on light and on dark pages.

python scripts/draw_flow.py
"""

from pathlib import Path
from typing import NamedTuple

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH, HEIGHT = 1000, 430
BOX, GAP, TALL = 160, 30, 78
LEFT, TOP, BOTTOM = 40, 92, 330


class Theme(NamedTuple):
    """Colours of a drawing."""

    text: str
    faint: str
    line: str
    frame: str  # what still holds pixels
    count: str  # numbers only
    train: str


THEMES = {
    "light": Theme("#1c1f26", "#5b6270", "#8a92a0", "#fde7d3", "#d5ebe4", "#e3e0f5"),
    "dark": Theme("#eceff4", "#a9b1bf", "#7d8797", "#5a3a1e", "#1f4a40", "#3b3564"),
}
LIVE = [
    ("frame", "decoded, reduced"),
    ("faces", "found, aligned, judged"),
    ("tracks", "positions, for seconds"),
    ("counts", "bands and genders"),
    ("entities", "in Home Assistant"),
]
TRAINING = [
    ("manifest", "faces and labels"),
    ("pretrain", "without labels"),
    ("train", "with labels"),
    ("evaluate", "on unseen faces"),
    ("export", "2 MB at most"),
]


def left(index: int) -> int:
    """Return the left edge of a box."""
    return LEFT + index * (BOX + GAP)


def box(index: int, top: int, words: tuple[str, str], fill: str) -> str:
    """Draw a step: its name, and a few words about it."""
    middle = left(index) + BOX / 2
    return (
        f'<rect x="{left(index)}" y="{top}" width="{BOX}" height="{TALL}" rx="10" fill="{fill}"/>'
        f'<text x="{middle}" y="{top + 34}" class="name">{words[0]}</text>'
        f'<text x="{middle}" y="{top + 57}" class="words">{words[1]}</text>'
    )


def arrow(points: str, theme: Theme) -> str:
    """Draw a line with a head at its end, through points `x,y x,y`."""
    return (
        f'<polyline points="{points}" fill="none" stroke="{theme.line}" stroke-width="2" '
        'marker-end="url(#head)"/>'
    )


def row(top: int, steps: list[tuple[str, str]], fills: list[str], theme: Theme) -> str:
    """Draw steps from left to right."""
    boxes = [
        box(index, top, step, fill)
        for index, (step, fill) in enumerate(zip(steps, fills, strict=True))
    ]
    middle = top + TALL / 2
    arrows = [
        arrow(f"{left(index) - GAP + 3},{middle} {left(index) - 4},{middle}", theme)
        for index in range(1, len(steps))
    ]
    return "".join(boxes + arrows)


def drawing(theme: Theme) -> str:
    """Return the whole picture."""
    border = left(3) - GAP / 2
    judge = left(1) + BOX / 2
    end = left(4) + BOX / 2
    turn = BOTTOM - 72
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">
<title>Frames become counts in the integration; faces become a model in the trainer.</title>
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"
 orient="auto-start-reverse"><path d="M0 0 10 5 0 10z" fill="{theme.line}"/></marker></defs>
<style>
text {{ font-family: system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: {theme.text} }}
.name {{ font-size: 19px; font-weight: 600; text-anchor: middle }}
.words {{ font-size: 13px; fill: {theme.faint}; text-anchor: middle }}
.title {{ font-size: 17px; font-weight: 600 }}
.note {{ font-size: 13px; fill: {theme.faint} }}
</style>
<text x="{LEFT}" y="34" class="title">The integration, on the device</text>
<text x="{LEFT}" y="56" class="note">Every few seconds, for each camera. One way only.</text>
{row(TOP, LIVE, [theme.frame] * 3 + [theme.count] * 2, theme)}
<line x1="{border}" y1="{TOP - 26}" x2="{border}" y2="{TOP + TALL + 44}" stroke="{theme.line}"
 stroke-width="1.5" stroke-dasharray="5 5"/>
<text x="{border - 14}" y="{TOP + TALL + 38}" class="note" text-anchor="end">\
in memory, then dropped</text>
<text x="{border + 14}" y="{TOP + TALL + 38}" class="note">nothing but numbers</text>
<text x="{LEFT}" y="{BOTTOM - 36}" class="title">The trainer, on your computer</text>
{row(BOTTOM, TRAINING, [theme.train] * 5, theme)}
{arrow(f"{end},{BOTTOM - 4} {end},{turn} {judge},{turn} {judge},{TOP + TALL + 5}", theme)}
<text x="{end - 14}" y="{turn - 8}" class="note" text-anchor="end">\
the model that judges faces</text>
</svg>
"""


if __name__ == "__main__":
    for name, theme in THEMES.items():
        (IMAGES / f"flow-{name}.svg").write_text(drawing(theme), "utf-8")
