"""The syslog receiver in the inventory: `server.syslog: off`, `on`, or `{port: 514}`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from pxed.inventory import fields
from pxed.inventory.fields import Base
from pxed.inventory.scalars import expected

PORT = 514
_ON, _OFF = ("on", "true", "yes"), ("off", "false", "no")
_SCHEMA = {
    "anyOf": [
        {"type": "boolean"},
        {"enum": ["on", "off", "yes", "no", "true", "false"]},
        {
            "type": "object",
            "properties": {"port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": PORT}},
            "additionalProperties": False,
        },
    ]
}


class SyslogSettings(Base):
    """The receiver."""

    port: fields.Number = Field(PORT, ge=1, le=65535, description="UDP port.")


def _syslog(value: Any) -> Any:
    """A word for the usual port or for no receiver."""
    if not isinstance(value, str):
        return value
    if value.lower() in _OFF:
        return None
    if value.lower() in _ON:
        return SyslogSettings()
    raise expected(value, "off, on or {port: 514}")


Syslog = Annotated[SyslogSettings | None, BeforeValidator(_syslog), WithJsonSchema(_SCHEMA)]
