"""Set-up in the user interface: the engine, and a camera at a time."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, override

from homeassistant.components.camera.const import DOMAIN as CAMERA_DOMAIN
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import PERCENTAGE, Platform, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
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
from homeassistant.helpers.translation import async_get_translations

from .const import (
    CONF_ACKNOWLEDGED,
    CONF_AGE_BANDS,
    CONF_CAMERA,
    CONF_CROWD,
    CONF_INTERVAL,
    CONF_MIN_FACE_SIZE,
    CONF_MODEL,
    CONF_MOTION_SECONDS,
    CONF_MOTION_SENSOR,
    CONF_NOISE,
    CONF_PRIVACY,
    CONF_REGION,
    CONF_RUNTIME,
    CONF_SENSITIVITY,
    CONF_WINDOW,
    DEFAULT_AGE_BANDS,
    DEFAULT_CROWD,
    DEFAULT_INTERVAL,
    DEFAULT_MIN_FACE_SIZE,
    DEFAULT_MOTION_SECONDS,
    DEFAULT_NOISE,
    DEFAULT_REGION,
    DEFAULT_RUNTIME,
    DEFAULT_SENSITIVITY,
    DEFAULT_WINDOW,
    DOMAIN,
    LONGEST_INTERVAL,
    NOISE,
    PRIVACY_HOME,
    PRIVACY_PUBLIC,
    SENSITIVITY,
    SUBENTRY_CAMERA,
)
from .privacy import privacy_mode
from .subentry import camera_entity, unique_id, watch_settings
from .trial import async_try
from .vision.artefact import ArtefactError
from .vision.census import PRESETS, AgeBands
from .vision.engine import Engine
from .vision.plugins import PluginError
from .vision.region import Region
from .vision.runtime import choice
from .worker import Worker

# Home Assistant 2026.9 and later put probatio in voluptuous' place, under both names.
if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

TITLE = "Age and gender counts"
OWN_BANDS = "own_bands"
"""Age bands that are typed in the form, beside those that can be chosen."""

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
                options=list(PRESETS),
                mode=SelectSelectorMode.DROPDOWN,
                translation_key=CONF_AGE_BANDS,
            )
        ),
        vol.Optional(OWN_BANDS): TextSelector(),
        vol.Required(CONF_RUNTIME, default=DEFAULT_RUNTIME): SelectSelector(
            SelectSelectorConfig(
                options=choice.names(),
                mode=SelectSelectorMode.DROPDOWN,
                translation_key=CONF_RUNTIME,
            )
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
NOTICE_AGAIN_SCHEMA = ENGINE_SCHEMA.extend(
    {vol.Required(CONF_ACKNOWLEDGED, default=True): BooleanSelector()}
)
REGION_SIDES = ("region_left", "region_top", "region_right", "region_bottom")
"""The region in the form, in percent of the picture."""
GRID = (
    "top_left",
    "top",
    "top_right",
    "left",
    "centre",
    "right",
    "bottom_left",
    "bottom",
    "bottom_right",
)
TOLERANCE = 0.005
"""Shares of a ninth of the picture that are as good as nothing."""
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
        vol.Optional(CONF_MOTION_SENSOR): EntitySelector(
            EntitySelectorConfig(domain=Platform.BINARY_SENSOR)
        ),
        vol.Required(CONF_MOTION_SECONDS, default=DEFAULT_MOTION_SECONDS): NumberSelector(
            NumberSelectorConfig(
                min=0,
                max=3600,
                mode=NumberSelectorMode.BOX,
                unit_of_measurement=UnitOfTime.SECONDS,
            )
        ),
        **{
            vol.Required(side, default=100 * default): NumberSelector(
                NumberSelectorConfig(
                    min=0,
                    max=100,
                    step=0.1,
                    mode=NumberSelectorMode.BOX,
                    unit_of_measurement=PERCENTAGE,
                )
            )
            for side, default in zip(REGION_SIDES, DEFAULT_REGION, strict=True)
        },
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
        vol.Required(CONF_SENSITIVITY, default=DEFAULT_SENSITIVITY): SelectSelector(
            SelectSelectorConfig(options=list(SENSITIVITY), translation_key=CONF_SENSITIVITY)
        ),
    }
)


def _as_chosen(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers to the engine's form that settings come from."""
    answers = {**settings}
    if answers.get(CONF_AGE_BANDS) not in {None, *PRESETS}:
        answers[OWN_BANDS] = answers.pop(CONF_AGE_BANDS)
    return answers


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
    MINOR_VERSION = 3

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
        """Show the notice again and change the engine; cameras and their devices stay."""
        return await self._async_step_engine("reconfigure", NOTICE_AGAIN_SCHEMA, user_input)

    async def _async_step_engine(
        self, step: str, schema: vol.Schema, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            self._settings = {**user_input}
            if not self._settings.pop(CONF_ACKNOWLEDGED, True):
                errors[CONF_ACKNOWLEDGED] = "not_acknowledged"
            if own := self._settings.pop(OWN_BANDS, None):
                self._settings[CONF_AGE_BANDS] = own
            try:
                AgeBands.parse(self._settings[CONF_AGE_BANDS])
            except ValueError as error:
                errors[OWN_BANDS] = "age_bands_invalid"
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
                schema, user_input or _as_chosen(self._current_settings())
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
    """Add a camera, or change one; either way, what it sees is shown before it is saved."""

    def __init__(self) -> None:
        """Start with nothing entered."""
        self._answers: dict[str, Any] = {}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose the camera and how it is watched."""
        if user_input is None:
            current = self._current()
            return self._form(_as_answers(current.data) if current else {})
        registry = er.async_get(self.hass)
        camera = er.async_resolve_entity_id(registry, user_input[CONF_CAMERA])
        self._answers = {**user_input, CONF_CAMERA: camera}
        if any(
            camera_entity(self.hass, other) == camera and other is not self._current()
            for other in self._get_entry().subentries.values()
        ):
            return self.async_abort(reason="already_configured")
        errors: dict[str, str] = {}
        if camera is None or self.hass.states.get(camera) is None:
            errors[CONF_CAMERA] = "camera_not_found"
        sensor = user_input.get(CONF_MOTION_SENSOR)
        if sensor is not None and self.hass.states.get(sensor) is None:
            errors[CONF_MOTION_SENSOR] = "sensor_not_found"
        try:
            watch_settings(_as_data(user_input))
        except ValueError:
            errors["base"] = "region_invalid"
        return self._form(user_input, errors) if errors else await self.async_step_look_again()

    async_step_reconfigure = async_step_user

    async def async_step_look_again(self, _: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Look at a frame and tell what is in it."""
        data = _as_data(self._answers)
        settings = watch_settings(data)
        told = await _async_grid(self.hass, settings.region)
        try:
            trial = await async_try(self.hass, self._get_entry(), data[CONF_CAMERA], settings)
        except Exception as error:  # noqa: BLE001  cameras come from any integration
            return self._menu("trial_failed", {**told, "error": str(error)})
        told |= {"width": str(trial.width), "height": str(trial.height)}
        if trial.faces is None or trial.milliseconds is None:
            return self._menu("trial_public", told)
        told |= {"faces": str(trial.faces), "milliseconds": f"{trial.milliseconds:.0f}"}
        return self._menu("trial", told)

    # Home Assistant wants a step for each menu it shows.
    async_step_trial = async_step_trial_public = async_step_trial_failed = async_step_look_again

    async def async_step_change(self, _: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Go back to what was entered."""
        return self._form(self._answers)

    async def async_step_save(self, _: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Save the camera."""
        data, current = _as_data(self._answers), self._current()
        camera = data[CONF_CAMERA]
        state = self.hass.states.get(camera)
        title = state.name if state else camera
        if current is None:
            return self.async_create_entry(
                title=title, data=data, unique_id=unique_id(self.hass, camera)
            )
        return self.async_update_and_abort(
            self._get_entry(),
            current,
            title=current.title if camera_entity(self.hass, current) == camera else title,
            data=data,
            unique_id=unique_id(self.hass, camera),
        )

    def _current(self) -> ConfigSubentry | None:
        """Return the subentry that is reconfigured; None for a new one."""
        return self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None

    def _form(
        self, answers: Mapping[str, Any], errors: dict[str, str] | None = None
    ) -> SubentryFlowResult:
        return self.async_show_form(
            step_id="user" if self._current() is None else "reconfigure",
            data_schema=self.add_suggested_values_to_schema(CAMERA_SCHEMA, answers),
            errors=errors or {},
        )

    def _menu(self, step: str, told: dict[str, str]) -> SubentryFlowResult:
        return self.async_show_menu(
            step_id=step,
            menu_options=["save", "look_again", "change"],
            description_placeholders=told,
        )


def _as_data(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of the answers to the form: the region as fractions."""
    data = {name: value for name, value in answers.items() if name not in REGION_SIDES}
    return {**data, CONF_REGION: [answers[side] / 100 for side in REGION_SIDES]}


def _as_answers(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers that data come from."""
    answers = {name: value for name, value in data.items() if name != CONF_REGION}
    sides = zip(REGION_SIDES, data[CONF_REGION], strict=True)
    return answers | {side: round(100 * fraction, 1) for side, fraction in sides}


async def _async_grid(hass: HomeAssistant, region: Region) -> dict[str, str]:
    """Return which ninths of the picture a region covers, in words."""
    translations = await async_get_translations(hass, hass.config.language, "selector", {DOMAIN})

    def word(name: str) -> str:
        return translations[f"component.{DOMAIN}.selector.region_cell.options.{name}"]

    shares = [share for row in region.coverage(3) for share in row]
    whole = [word(GRID[i]) for i, share in enumerate(shares) if share > 1 - TOLERANCE]
    part = [word(GRID[i]) for i, share in enumerate(shares) if TOLERANCE < share <= 1 - TOLERANCE]
    if len(whole) == len(GRID):
        whole = [word("whole_picture")]
    return {
        "whole": ", ".join(whole) or word("nothing"),
        "part": ", ".join(part) or word("nothing"),
    }
