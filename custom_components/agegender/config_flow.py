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
    SelectSelectorMode,
    TextSelector,
)

from .const import (
    CONF_ACKNOWLEDGED,
    CONF_AGE_BANDS,
    CONF_CAMERA,
    CONF_CROWD,
    CONF_INTERVAL,
    CONF_MIN_FACE_SIZE,
    CONF_MODEL,
    CONF_NOISE,
    CONF_PRIVACY,
    CONF_RUNTIME,
    CONF_WINDOW,
    DEFAULT_AGE_BANDS,
    DEFAULT_CROWD,
    DEFAULT_INTERVAL,
    DEFAULT_MIN_FACE_SIZE,
    DEFAULT_NOISE,
    DEFAULT_RUNTIME,
    DEFAULT_WINDOW,
    DOMAIN,
    LONGEST_INTERVAL,
    NOISE,
    PRIVACY_HOME,
    PRIVACY_PUBLIC,
    SUBENTRY_CAMERA,
)
from .privacy import privacy_mode
from .vision.artefact import ArtefactError
from .vision.census import PRESETS, AgeBands
from .vision.engine import Engine
from .vision.plugins import PluginError
from .vision.runtime import choice
from .worker import Worker

# Home Assistant 2026.9 and later put probatio in voluptuous' place, under both names.
if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

TITLE = "Age and gender counts"

ENGINE_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_PRIVACY, default=PRIVACY_HOME): SelectSelector(
            SelectSelectorConfig(
                options=[PRIVACY_HOME, PRIVACY_PUBLIC],
                mode=SelectSelectorMode.LIST,
                translation_key=CONF_PRIVACY,
            )
        ),
        vol.Required(CONF_AGE_BANDS, default=DEFAULT_AGE_BANDS): SelectSelector(
            SelectSelectorConfig(
                options=list(PRESETS), custom_value=True, translation_key=CONF_AGE_BANDS
            )
        ),
        vol.Required(CONF_RUNTIME, default=DEFAULT_RUNTIME): SelectSelector(
            SelectSelectorConfig(options=choice.names(), translation_key=CONF_RUNTIME)
        ),
        vol.Optional(CONF_MODEL): TextSelector(),
    }
)
PUBLIC_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_WINDOW, default=str(DEFAULT_WINDOW)): vol.All(
            SelectSelector(
                SelectSelectorConfig(
                    options=["5", "10", "15", "30", "60"], translation_key=CONF_WINDOW
                )
            ),
            vol.Coerce(int),
        ),
        vol.Required(CONF_CROWD, default=DEFAULT_CROWD): vol.All(
            NumberSelector(NumberSelectorConfig(min=3, max=100, mode=NumberSelectorMode.BOX)),
            vol.Coerce(int),
        ),
        vol.Required(CONF_NOISE, default=DEFAULT_NOISE): SelectSelector(
            SelectSelectorConfig(options=list(NOISE), translation_key=CONF_NOISE)
        ),
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
                max=LONGEST_INTERVAL,
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
        return await worker.async_load()
    finally:
        await worker.async_shutdown()


class AgeGenderConfigFlow(ConfigFlow, domain=DOMAIN):
    """Set up the engine: what may be seen, age bands, runtime and model."""

    VERSION = 1
    MINOR_VERSION = 2

    def __init__(self) -> None:
        """Start with nothing entered."""
        self._settings: dict[str, Any] = {}
        self._engine: Engine | None = None

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
        return await self._async_step_engine("user", NOTICE_SCHEMA, user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change the engine; cameras and their devices stay."""
        return await self._async_step_engine("reconfigure", ENGINE_SCHEMA, user_input)

    async def _async_step_engine(
        self, step: str, schema: vol.Schema, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            self._settings = {**user_input}
            if not self._settings.pop(CONF_ACKNOWLEDGED, True):
                errors[CONF_ACKNOWLEDGED] = "not_acknowledged"
            try:
                AgeBands.parse(self._settings[CONF_AGE_BANDS])
            except ValueError as error:
                errors[CONF_AGE_BANDS] = "age_bands_invalid"
                placeholders["error"] = str(error)
        if user_input is not None and not errors:
            try:
                self._engine = await _async_load_engine(self.hass, self._settings)
            except (ArtefactError, PluginError) as error:
                errors["base"] = "engine_unusable"
                placeholders["error"] = str(error)
            else:
                if self._settings[CONF_PRIVACY] == PRIVACY_PUBLIC:
                    return await self.async_step_public()
                return await self._async_finish()
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(
                schema, user_input or self._current_settings()
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_public(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose how coarse the counts of public places are."""
        if user_input is not None:
            self._settings |= user_input
            return await self._async_finish()
        current = self._current_settings()
        if CONF_WINDOW in current:
            current[CONF_WINDOW] = str(current[CONF_WINDOW])
        return self.async_show_form(
            step_id="public",
            data_schema=self.add_suggested_values_to_schema(PUBLIC_SCHEMA, current),
        )

    async def async_step_new_totals(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Confirm that today's totals start again, as they follow another rule."""
        if user_input is None:
            return self.async_show_form(step_id="new_totals")
        return self._async_update()

    async def async_step_new_bands(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Confirm that the people already counted lose their age bands."""
        if user_input is None:
            return self.async_show_form(step_id="new_bands")
        return self._async_update()

    async def _async_finish(self) -> ConfigFlowResult:
        """Create the entry, or change it once the user knows what that costs."""
        if self.source != SOURCE_RECONFIGURE:
            assert self._engine  # noqa: S101  it was loaded before
            return self.async_create_entry(
                title=TITLE,
                data=self._settings,
                description_placeholders={
                    "model": self._engine.model_name,
                    "licence": self._engine.licence,
                },
            )
        before, after = self._current_settings(), self._settings
        if privacy_mode(before) != privacy_mode(after):
            return await self.async_step_new_totals()
        if AgeBands.parse(before[CONF_AGE_BANDS]) != AgeBands.parse(after[CONF_AGE_BANDS]):
            return await self.async_step_new_bands()
        return self._async_update()

    @callback
    def _async_update(self) -> ConfigFlowResult:
        return self.async_update_and_abort(self._get_reconfigure_entry(), data=self._settings)

    def _current_settings(self) -> dict[str, Any]:
        """Return the settings of the entry that is reconfigured; none for a new one."""
        if self.source != SOURCE_RECONFIGURE:
            return {}
        return {**self._get_reconfigure_entry().data}


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
