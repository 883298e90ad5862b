"""Home Assistant's HTTP and websocket interfaces, as its own frontend uses them."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, Self, cast

import aiohttp

# A JSON document of Home Assistant.
type Json = dict[str, Any]


class HomeAssistantError(Exception):
    """Home Assistant refused something; the message is its own."""


class Client:
    """A signed-in user's connection.

    Create it with `Client.sign_in`.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, socket: aiohttp.ClientWebSocketResponse
    ) -> None:
        self._session = session
        self._url = url
        self._socket = socket
        self._last_id = 0

    @classmethod
    async def sign_in(
        cls, session: aiohttp.ClientSession, url: str, *, name: str, user: str, password: str
    ) -> Self:
        """Onboard Home Assistant, as far as that is not done yet, and sign in.

        Parameters
        ----------
        session
            Gets the access token as a default header.
        url
            Where Home Assistant listens, without a slash at the end.
        name, user, password
            The first user, who is created at the first start.

        Raises
        ------
        HomeAssistantError
            If the user exists with another password.
        """
        client_id = f"{url}/"
        missing = await _missing_steps(session, url)
        if "user" not in missing:
            code = await _login(session, url, client_id, user, password)
        else:
            created = await _post(
                session,
                f"{url}/api/onboarding/users",
                {
                    "client_id": client_id,
                    "language": "en",
                    "name": name,
                    "username": user,
                    "password": password,
                },
            )
            code = created["auth_code"]
        async with session.post(
            f"{url}/auth/token",
            data={"grant_type": "authorization_code", "code": code, "client_id": client_id},
        ) as response:
            token = (await _answer(response))["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"

        for step, data in {
            "core_config": {},
            "analytics": {},
            "integration": {"client_id": client_id, "redirect_uri": client_id},
        }.items():
            if step in missing:
                await _post(session, f"{url}/api/onboarding/{step}", data)

        socket = await session.ws_connect(f"{url}/api/websocket", max_msg_size=0)
        await socket.receive_json()
        await socket.send_json({"type": "auth", "access_token": token})
        answer = await socket.receive_json()
        if answer["type"] != "auth_ok":
            raise HomeAssistantError(answer["message"])
        return cls(session, url, socket)

    async def started(self) -> None:
        """Wait until Home Assistant has set up everything."""
        while (await self.call("get_config"))["state"] != "RUNNING":  # noqa: ASYNC110  # no event tells
            await asyncio.sleep(0.2)

    async def run_flow(self, kind: str, handler: str | list[str], *forms: Json) -> Json:
        """Fill in the forms of a configuration flow and return its result.

        Parameters
        ----------
        kind
            `"flow"` for a config entry, `"subentries/flow"` for a subentry.
        handler
            The integration, or the entry and the type of subentry.
        forms
            What the user enters, form by form, and chooses in menus, as ``next_step_id``;
            what is not asked for is left over.

        Raises
        ------
        HomeAssistantError
            If the flow shows a form again, or asks for more, or ends without an entry.
        """
        url = f"{self._url}/api/config/config_entries/{kind}"
        step = await _post(self._session, url, {"handler": handler})
        for form in forms:
            if step["type"] == ("menu" if "next_step_id" in form else "form"):
                step = await _post(self._session, f"{url}/{step['flow_id']}", form)
        if step["type"] != "create_entry":
            reason = step.get("reason") or step.get("errors")
            details = step.get("description_placeholders") or ""
            raise HomeAssistantError(f"setting up {handler} with {forms}: {reason} {details}")
        return cast("Json", step)

    async def delete_entry(self, entry_id: str) -> None:
        """Remove a config entry with all it made."""
        url = f"{self._url}/api/config/config_entries/entry/{entry_id}"
        async with self._session.delete(url) as response:
            await _answer(response)

    async def call(self, command: str, **arguments: Any) -> Any:
        """Run a websocket command and return its result."""
        message_id = await self._send(command, arguments)
        while True:
            message = await self._socket.receive_json()
            if message["id"] == message_id and message["type"] == "result":
                return _result(command, message)

    async def subscribe(self, command: str, **arguments: Any) -> AsyncIterator[Json]:
        """Run a websocket command that subscribes, and yield its events.

        The connection serves nothing else from here on.
        """
        message_id = await self._send(command, arguments)
        async for message in self._socket:
            content = message.json()
            if content["id"] != message_id:
                continue
            if content["type"] == "event":
                yield content["event"]
            else:
                _result(command, content)

    async def _send(self, command: str, arguments: Json) -> int:
        self._last_id += 1
        await self._socket.send_json({"id": self._last_id, "type": command, **arguments})
        return self._last_id


def _result(command: str, message: Json) -> Any:
    if not message["success"]:
        raise HomeAssistantError(f"{command}: {message['error']['message']}")
    return message["result"]


async def _login(
    session: aiohttp.ClientSession, url: str, client_id: str, user: str, password: str
) -> str:
    form = await _post(
        session,
        f"{url}/auth/login_flow",
        {
            "client_id": client_id,
            "handler": ["homeassistant", None],
            "redirect_uri": client_id,
        },
    )
    done = await _post(
        session,
        f"{url}/auth/login_flow/{form['flow_id']}",
        {"client_id": client_id, "username": user, "password": password},
    )
    if done["type"] != "create_entry":
        raise HomeAssistantError(f"user {user!r} cannot sign in with the password {password!r}")
    return str(done["result"])


async def _missing_steps(session: aiohttp.ClientSession, url: str) -> set[str]:
    """Return the steps of the onboarding that are still to be done."""
    async with session.get(f"{url}/api/onboarding") as response:
        # Home Assistant has no such page any more once it is onboarded.
        steps = [] if response.status == HTTPStatus.NOT_FOUND else await _answer(response)
    return {step["step"] for step in steps if not step["done"]}


async def _post(session: aiohttp.ClientSession, url: str, data: Json) -> Any:
    async with session.post(url, json=data) as response:
        return await _answer(response)


async def _answer(response: aiohttp.ClientResponse) -> Any:
    if not response.ok:
        raise HomeAssistantError(
            f"{response.method} {response.url.path}: {response.status} {await response.text()}"
        )
    return await response.json()
