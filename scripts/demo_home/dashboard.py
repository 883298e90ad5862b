"""The dashboard: each camera's picture above its counts."""

from .cameras import WatchedCamera
from .client import Client, Json

URL_PATH = "people-in-view"
TITLE = "People in view"
ICON = "mdi:account-group"
FEMALE, MALE, UNKNOWN = "deep-purple", "teal", "grey"
AGES = ("light-green", "green", "cyan", "blue", "indigo", "purple", "pink", "red", "orange")
"""Colours of the age bands, youngest first."""


async def save(client: Client, cameras: list[WatchedCamera]) -> None:
    """Save the dashboard and make it the user's first page."""
    dashboards = await client.call("lovelace/dashboards/list")
    if all(dashboard["url_path"] != URL_PATH for dashboard in dashboards):
        await client.call(
            "lovelace/dashboards/create",
            url_path=URL_PATH,
            title=TITLE,
            icon=ICON,
            mode="storage",
        )
    await client.call("lovelace/config/save", url_path=URL_PATH, config=layout(cameras))
    await client.call("frontend/set_user_data", key="core", value={"default_panel": URL_PATH})


def layout(cameras: list[WatchedCamera]) -> Json:
    """Return the configuration of the dashboard."""
    return {
        "title": TITLE,
        "views": [
            {
                "type": "sections",
                "title": TITLE,
                "path": "cameras",
                "icon": ICON,
                "max_columns": 3,
                "header": {
                    "layout": "start",
                    "card": {
                        "type": "markdown",
                        "text_only": True,
                        "content": "# People in view\n"
                        "Counted on this device. No picture is kept, and nobody is recognised.",
                    },
                },
                "sections": [_section(camera) for camera in cameras],
            }
        ],
    }


def _section(camera: WatchedCamera) -> Json:
    return {
        "type": "grid",
        "cards": [
            {"type": "heading", "heading": camera.name, "icon": "mdi:cctv"},
            {
                "type": "picture-entity",
                "entity": camera.entity,
                "show_name": False,
                "show_state": False,
                "fit_mode": "contain",
                "grid_options": {"columns": "full", "rows": 5},
            },
            _tile(camera.people, "People in view", "mdi:account-group", "primary", 6),
            _tile(camera.visitors, "Visitors today", "mdi:counter", "primary", 6),
            _tile(camera.female, "Female", "mdi:human-female", FEMALE, 4),
            _tile(camera.male, "Male", "mdi:human-male", MALE, 4),
            _tile(camera.unknown, "Unknown", "mdi:help-circle-outline", UNKNOWN, 4),
            {
                "type": "distribution",
                "title": "Ages",
                "entities": [
                    {
                        "entity": sensor,
                        "name": band,
                        "color": UNKNOWN if band == "unknown" else colour,
                    }
                    for (band, sensor), colour in zip(camera.ages.items(), AGES, strict=False)
                ],
            },
        ],
    }


def _tile(entity: str, name: str, icon: str, colour: str, columns: int) -> Json:
    return {
        "type": "tile",
        "entity": entity,
        "name": name,
        "icon": icon,
        "color": colour,
        # Three in a row are too narrow for an icon beside its name.
        "vertical": columns < 6,
        "grid_options": {"columns": columns},
    }
