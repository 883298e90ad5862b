"""The demonstration cameras, and our integration set up on each."""

import asyncio
import mimetypes
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import skimage.data

from .client import Client, HomeAssistantError, Json

DOMAIN = "agegender"
INTERVAL = 2
"""Seconds between two frames."""
SETUP_TIMEOUT = 60
"""Seconds."""


@dataclass(frozen=True, slots=True)
class WatchedCamera:
    """A camera, and the sensors that count its people.

    Parameters
    ----------
    name
        What the user calls the camera.
    entity
        Entity id of the camera.
    people, female, male, unknown
        Entity ids of the counts of people in view; the last one of unknown gender.
    visitors
        Entity id of the count of today's visitors.
    ages
        Entity id of the count in each age band, by the band, youngest first, and of the
        count of people of unknown age.
    """

    name: str
    entity: str
    people: str
    female: str
    male: str
    unknown: str
    visitors: str
    ages: dict[str, str]


def pictures(folder: Path) -> dict[str, Path]:
    """Return what the cameras show, by the camera's name.

    Parameters
    ----------
    folder
        The user's own pictures; it may be missing.
    """
    photographs = Path(skimage.data.__file__).parent
    own = sorted(folder.iterdir()) if folder.is_dir() else []
    return {
        "Astronaut": photographs / "astronaut.png",
        "Grace Hopper": Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg",
        "Coffee table": photographs / "coffee.png",
    } | {
        path.name: path.resolve()
        for path in own
        if (mimetypes.guess_type(path)[0] or "").startswith("image/")
    }


async def watch(client: Client, shown: dict[str, Path]) -> list[WatchedCamera]:
    """Have these cameras, and our integration counting on each of them.

    What is there already stays, so that a start that was cut off is continued.

    Parameters
    ----------
    client
        The signed-in user.
    shown
        What the cameras show, by name.

    Raises
    ------
    HomeAssistantError
        If a part cannot be set up.
    """
    cameras = await _local_files(client, shown)
    entry = await _engine(client)
    subentries = await _subentries(client, entry, cameras)
    return [
        WatchedCamera(
            name=name,
            entity=camera,
            people=sensors["people"],
            female=sensors["female"],
            male=sensors["male"],
            unknown=sensors["gender_unknown"],
            visitors=sensors["today_people"],
            ages={
                key.removeprefix("age_"): sensor
                for key, sensor in sensors.items()
                if key.startswith("age_")
            },
        )
        for name, camera in cameras.items()
        for sensors in [await _sensors(client, subentries[camera])]
    ]


async def _local_files(client: Client, shown: dict[str, Path]) -> dict[str, str]:
    """Return the entity id of each camera by its name."""
    names = {str(path): name for name, path in shown.items()}
    for file, camera in (await _cameras_by_file(client)).items():
        if file not in names:
            await client.delete_entry(camera["config_entry_id"])
    present = await _cameras_by_file(client)
    for file, name in names.items():
        if file not in present:
            await client.run_flow("flow", "local_file", {"name": name, "file_path": file})
    present = await _cameras_by_file(client)
    return {name: present[file]["entity_id"] for file, name in names.items()}


async def _cameras_by_file(client: Client) -> dict[str, Json]:
    registered = {
        entity["entity_id"]: entity
        for entity in await client.call("config/entity_registry/list")
        if entity["platform"] == "local_file"
    }
    return {
        state["attributes"]["file_path"]: registered[state["entity_id"]]
        for state in await client.call("get_states")
        if state["entity_id"] in registered and "file_path" in state["attributes"]
    }


async def _engine(client: Client) -> str:
    """Return the id of our config entry."""
    entries = await client.call("config_entries/get", domain=DOMAIN)
    if not entries:
        created = await client.run_flow("flow", DOMAIN, {"acknowledged": True})
        entries = [created["result"]]
    if entries[0]["state"] != "loaded":
        raise HomeAssistantError(f"the integration is not loaded: {entries[0]['reason']}")
    return str(entries[0]["entry_id"])


async def _subentries(client: Client, entry: str, cameras: dict[str, str]) -> dict[str, str]:
    """Return the id of each camera's subentry by the camera's entity id."""
    present = await _list_subentries(client, entry)
    existing = {state["entity_id"] for state in await client.call("get_states")}
    for camera, subentry in present.items():
        if camera not in existing:
            await client.call(
                "config_entries/subentries/delete", entry_id=entry, subentry_id=subentry
            )
    for camera in cameras.values():
        if camera not in present:
            await client.run_flow(
                "subentries/flow",
                [entry, "camera"],
                {"camera": camera, "interval": INTERVAL},
                {"next_step_id": "save"},
            )
    return await _list_subentries(client, entry)


async def _list_subentries(client: Client, entry: str) -> dict[str, str]:
    """Return the id of each subentry by its camera's entity id."""
    listed = await client.call("config_entries/subentries/list", entry_id=entry)
    # A camera is known by its id in the registry, so that it can be renamed.
    entities = {
        entity["id"]: entity["entity_id"]
        for entity in await client.call("config/entity_registry/list")
    }
    return {
        entities.get(subentry["unique_id"], subentry["unique_id"]): subentry["subentry_id"]
        for subentry in listed
    }


async def _sensors(client: Client, subentry: str) -> dict[str, str]:
    """Return the entity ids of a camera's sensors by what they count."""
    # Our integration reloads after a camera was added; its sensors come a moment later.
    async with asyncio.timeout(SETUP_TIMEOUT):
        while True:
            sensors = {
                entity["unique_id"].removeprefix(f"{subentry}_"): entity["entity_id"]
                for entity in await client.call("config/entity_registry/list")
                if entity["platform"] == DOMAIN and entity["config_subentry_id"] == subentry
            }
            if sensors:
                return sensors
            await asyncio.sleep(0.2)
