"""Set-up in the user interface: the engine, and a camera at a time."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, override

from homeassistant.components.camera.const import DOMAIN as CAMERA_DOMAIN
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
)

from .const import (
    CONF_ACKNOWLEDGED,
    CONF_AGE_BANDS,
    CONF_CAMERA,
    CONF_INTERVAL,
    CONF_MIN_FACE_SIZE,
    CONF_MODEL,
    CONF_RUNTIME,
    DEFAULT_AGE_BANDS,
    DEFAULT_INTERVAL,
    DEFAULT_MIN_FACE_SIZE,
    DEFAULT_RUNTIME,
    DOMAIN,
    SUBENTRY_CAMERA,
)
from .vision.artefact import ArtefactError
from .vision.census import PRESETS
from .vision.engine import Engine
from .vision.plugins import PluginError
from .vision.runtime import runtimes
from .worker import Worker

# Home Assistant 2026.9 and later put probatio in voluptuous' place, under both names.
if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

TITLE = "Age and gender counts"

ENGINE_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_AGE_BANDS, default=DEFAULT_AGE_BANDS): SelectSelector(
            SelectSelectorConfig(options=list(PRESETS), translation_key=CONF_AGE_BANDS)
        ),
        vol.Required(CONF_RUNTIME, default=DEFAULT_RUNTIME): SelectSelector(
            SelectSelectorConfig(options=runtimes.names(), translation_key=CONF_RUNTIME)
        ),
        vol.Optional(CONF_MODEL): TextSelector(),
    }
)
NOTICE_SCHEMA = ENGINE_SCHEMA.extend(
    {vol.Required(CONF_ACKNOWLEDGED, default=False): BooleanSelector()}
)
CAMERA_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_CAMERA): EntitySelector(EntitySelectorConfig(domain=CAMERA_DOMAIN)),
        vol.Required(CONF_INTERVAL, default=DEFAULT_INTERVAL): NumberSelector(
            NumberSelectorConfig(
                min=1,
                max=3600,
                mode=NumberSelectorMode.BOX,
                unit_of_measurement=UnitOfTime.SECONDS,
            )
        ),
        vol.Required(CONF_MIN_FACE_SIZE, default=DEFAULT_MIN_FACE_SIZE): vol.All(
            NumberSelector(
                NumberSelectorConfig(
                    min=20,
                    max=400,
                    mode=NumberSelectorMode.BOX,
                    unit_of_measurement="px",
                )
            ),
            vol.Coerce(int),
        ),
    }
)


async def _async_load_engine(hass: HomeAssistant, settings: Mapping[str, Any]) -> Engine:
    """Load the engine as the entry would, on a thread that ends with it."""
    worker = Worker(hass, settings)
    try:
        return await worker.async_load(DEFAULT_MIN_FACE_SIZE)
    finally:
        await worker.async_shutdown()


class AgeGenderConfigFlow(ConfigFlow, domain=DOMAIN):
    """Set up the engine: model, runtime and age bands."""

    VERSION = 1

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the kinds of subentry: cameras."""
        return {SUBENTRY_CAMERA: CameraSubentryFlow}

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the privacy notice and choose the engine."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            settings = {**user_input}
            if not settings.pop(CONF_ACKNOWLEDGED):
                errors[CONF_ACKNOWLEDGED] = "not_acknowledged"
            else:
                try:
                    engine = await _async_load_engine(self.hass, settings)
                except (ArtefactError, PluginError) as error:
                    errors["base"] = "engine_unusable"
                    placeholders["error"] = str(error)
                else:
                    return self.async_create_entry(
                        title=TITLE,
                        data=settings,
                        description_placeholders={
                            "model": engine.model_name,
                            "licence": engine.licence,
                        },
                    )
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(NOTICE_SCHEMA, user_input),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change the engine; cameras and their devices stay."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            try:
                await _async_load_engine(self.hass, user_input)
            except (ArtefactError, PluginError) as error:
                errors["base"] = "engine_unusable"
                placeholders["error"] = str(error)
            else:
                return self.async_update_and_abort(entry, data=user_input)
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(
                ENGINE_SCHEMA, user_input or entry.data
            ),
            errors=errors,
            description_placeholders=placeholders,
        )


class CameraSubentryFlow(ConfigSubentryFlow):
    """Add a camera, or change one."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose the camera and how it is watched."""
        entry = self._get_entry()
        current = self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None
        errors: dict[str, str] = {}
        if user_input is not None:
            camera = user_input[CONF_CAMERA]
            if any(
                other.unique_id == camera and other is not current
                for other in entry.subentries.values()
            ):
                return self.async_abort(reason="already_configured")
            if (state := self.hass.states.get(camera)) is None:
                errors[CONF_CAMERA] = "camera_not_found"
            elif current is None:
                return self.async_create_entry(title=state.name, data=user_input, unique_id=camera)
            else:
                return self.async_update_and_abort(
                    entry,
                    current,
                    title=current.title if current.unique_id == camera else state.name,
                    data=user_input,
                    unique_id=camera,
                )
        return self.async_show_form(
            step_id="user" if current is None else "reconfigure",
            data_schema=self.add_suggested_values_to_schema(
                CAMERA_SCHEMA, user_input or (current.data if current else None)
            ),
            errors=errors,
        )

    async_step_reconfigure = async_step_user
