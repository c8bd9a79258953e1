"""The deployment's configuration: ``comptoir.toml``, overridden by ``COMPTOIR_<SECTION>__<KEY>`` of the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.core import get_global

from comptoir.errors import ConfigurationError
from comptoir.i18n import LANGUAGES, _

SECTIONS: dict[str, dict[str, type]] = {
    "deployment": {
        "name": str,
        "database_url": str,
        "data_dir": str,
        "theme": str,
        "language": str,
        "country": str,
        "timezone": str,
        "currency": str,
    },
    "entitlement": {"modules": list, "seats": int},
    "mail": {"smtp_url": str, "imap_url": str, "from": str},
    "server": {
        "hosts": list,
        "proxies": int,
        "workers": int,
        "https": bool,
        "require_versions": bool,
        "plugin_seconds": int,
        "job_seconds": int,
    },
}
"""Every key that may stand in the file, with its type."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one deployment is configured to be; relative paths are already resolved against the file's folder."""

    name: str
    database_url: str
    data_dir: Path
    theme: str = "default"
    language: str = "en"
    country: str | None = None
    """The ISO 3166 code of the country whose telephone numbers are written without prefix; None where nobody said so."""
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    currency: str = "EUR"
    modules: tuple[str, ...] | None = None
    """The entitled modules; None entitles everything."""
    seats: int | None = None
    hosts: tuple[str, ...] = ()
    proxies: int = 0
    workers: int = 1
    https: bool = False
    require_versions: bool = False
    """Whether the API refuses to change a record without the version that the caller has seen."""
    plugin_seconds: int = 10
    """How long one call of a web request into a plugin may take; 0 sets no limit."""
    job_seconds: int = 600
    """How long a plugin's job or deferred work may take that states no limit of its own; 0 sets none."""
    mail: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None

    def is_entitled(self, module: str) -> bool:
        """Whether the deployment pays for the module; base always belongs to it."""
        return module == "base" or self.modules is None or module in self.modules


def load_settings(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the file and the environment; any unknown key or unusable value is a `ConfigurationError` that names it."""
    environment = os.environ if environment is None else environment
    if not path.exists():
        raise ConfigurationError(
            _("There is no configuration at {path}. Create one with: comptoir --config {path} init", path=path)
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(_("{path} is not valid TOML: {error}.", path=path, error=error)) from None
    except OSError as error:
        raise ConfigurationError(_("{path} cannot be read: {error}.", path=path, error=error.strerror)) from None
    return settings_from(content, environment, path)


def settings_from(content: Mapping[str, Any], environment: Mapping[str, str], path: Path | None = None) -> Settings:
    """Check a parsed configuration and merge the environment's overrides into it."""
    merged: dict[str, dict[str, Any]] = {}
    for section, keys in content.items():
        if section not in SECTIONS or not isinstance(keys, Mapping):
            raise ConfigurationError(_("Unknown section [{section}] in {path}.", section=section, path=path))
        for key, value in keys.items():
            merged.setdefault(section, {})[key] = _typed(section, key, value)
    for name, value in environment.items():
        if name.startswith("COMPTOIR_") and "__" in name:
            section, _sep, key = name.removeprefix("COMPTOIR_").lower().partition("__")
            merged.setdefault(section, {})[key] = _typed(section, key, value)
    deployment = merged.get("deployment", {})
    entitlement, server = merged.get("entitlement", {}), merged.get("server", {})
    root = path.parent if path is not None else Path.cwd()
    name = deployment.get("name") or (path.parent.name if path is not None else "comptoir")
    data_dir = Path(deployment.get("data_dir") or f"var/{name}")
    url = deployment.get("database_url") or f"sqlite:///{data_dir / 'comptoir.db'}"
    language = deployment.get("language", "en")
    if language not in LANGUAGES:
        raise ConfigurationError(
            _("deployment.language is {value!r}; choose one of {known}.", value=language, known=", ".join(LANGUAGES))
        )
    country = deployment.get("country")
    if country is not None and not is_country(country):
        raise ConfigurationError(
            _("deployment.country is {value!r}; give two capital letters such as RO.", value=country)
        )
    timezone = deployment.get("timezone", "UTC")
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(
            _("deployment.timezone is {value!r}; give a name such as Europe/Bucharest.", value=timezone)
        ) from None
    currency = deployment.get("currency", "EUR")
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise ConfigurationError(
            _("deployment.currency is {value!r}; give three capital letters such as EUR.", value=currency)
        )
    return Settings(
        name=name,
        database_url=_resolve_database_url(url, root),
        data_dir=data_dir if data_dir.is_absolute() else root / data_dir,
        theme=deployment.get("theme", "default"),
        language=language,
        country=country,
        timezone=zone,
        currency=currency,
        modules=tuple(entitlement["modules"]) if "modules" in entitlement else None,
        seats=entitlement.get("seats"),
        hosts=tuple(server.get("hosts", ())),
        proxies=server.get("proxies", 0),
        workers=server.get("workers", 1),
        https=server.get("https", False),
        require_versions=server.get("require_versions", False),
        plugin_seconds=_seconds("plugin_seconds", server.get("plugin_seconds", 10)),
        job_seconds=_seconds("job_seconds", server.get("job_seconds", 600)),
        mail=merged.get("mail", {}),
        path=path,
    )


def _seconds(key: str, value: int) -> int:
    if value < 0:
        raise ConfigurationError(_("server.{key} is {value}; give 0 or more.", key=key, value=value))
    return value


def is_country(code: str) -> bool:
    """Whether a text is the ISO 3166 code of a country."""
    return code != "ZZ" and code in get_global("territory_languages")


def _resolve_database_url(url: str, root: Path) -> str:
    prefix = "sqlite:///"
    if url.startswith(prefix) and url != prefix and not Path(url.removeprefix(prefix)).is_absolute():
        return prefix + str(root / url.removeprefix(prefix))
    return url


def _typed(section: str, key: str, value: Any) -> Any:
    known = SECTIONS.get(section)
    if known is None or key not in known:
        options = ", ".join(sorted(known)) if known else ", ".join(SECTIONS)
        raise ConfigurationError(
            _("Unknown configuration key {section}.{key}. Known: {options}.", section=section, key=key, options=options)
        )
    wanted = known[key]
    if isinstance(value, str) and wanted is list:
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, str) and wanted is int and value.strip().lstrip("-").isdigit():
        return int(value)
    if isinstance(value, str) and wanted is bool and value.lower() in ("true", "false", "1", "0"):
        return value.lower() in ("true", "1")
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        words = {str: _("text"), int: _("a whole number"), list: _("a list"), bool: _("true or false")}
        raise ConfigurationError(
            _(
                "{section}.{key} is {value!r}; it takes {wanted}.",
                section=section,
                key=key,
                value=value,
                wanted=words[wanted],
            )
        )
    return value
