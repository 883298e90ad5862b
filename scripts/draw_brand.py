#!/usr/bin/env python3
"""Draw the icons in custom_components/agegender/brand: our own picture, Pillow alone.

A face in a viewfinder whose features are three bars of a chart: faces become counts.
"""

from pathlib import Path

from PIL import Image, ImageDraw

BRAND = Path(__file__).parents[1] / "custom_components" / "agegender" / "brand"
OVERSAMPLING = 4  # drawn larger and reduced, for smooth edges

GROUND = "#14324a"
FRAME = "#7fd1c7"
FACE = "#f6efe4"
BARS = ("#f2b134", "#ed6a5a", "#4aa3df")


def icon(size: int) -> Image.Image:
    """Draw the icon.

    Parameters
    ----------
    size
        Width and height in pixels.

    Returns
    -------
    Image
        RGBA, transparent outside the rounded square.
    """
    side = size * OVERSAMPLING
    image = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(image)

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, ...]:
        return (left * side, top * side, right * side - 1, bottom * side - 1)

    draw.rounded_rectangle(box(0, 0, 1, 1), radius=0.22 * side, fill=GROUND)

    # The viewfinder: a rounded outline of which only the corners stay.
    stroke = 0.042
    draw.rounded_rectangle(
        box(0.11, 0.11, 0.89, 0.89), radius=0.13 * side, outline=FRAME, width=round(stroke * side)
    )
    draw.rectangle(box(0.34, 0.09, 0.66, 0.91), fill=GROUND)
    draw.rectangle(box(0.09, 0.34, 0.91, 0.66), fill=GROUND)

    # The face, with ears.
    for left in (0.215, 0.695):
        draw.ellipse(box(left, 0.43, left + 0.09, 0.57), fill=FACE)
    draw.rounded_rectangle(box(0.255, 0.19, 0.745, 0.81), radius=0.245 * side, fill=FACE)
    for left in (0.365, 0.565):
        draw.ellipse(box(left, 0.36, left + 0.07, 0.43), fill=GROUND)

    # Where the mouth is: the counts.
    bar, gap, ground = 0.068, 0.026, 0.69
    left = 0.5 - (3 * bar + 2 * gap) / 2
    for colour, height in zip(BARS, (0.09, 0.17, 0.125), strict=True):
        draw.rounded_rectangle(
            box(left, ground - height, left + bar, ground), radius=0.018 * side, fill=colour
        )
        left += bar + gap

    return image.resize((size, size), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    BRAND.mkdir(exist_ok=True)
    for name, size in (("icon.png", 256), ("icon@2x.png", 512)):
        icon(size).save(BRAND / name, optimize=True)
        print(BRAND / name)
