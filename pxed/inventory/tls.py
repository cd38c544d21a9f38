"""HTTPS in the inventory: which certificate pxed shows, and what machines check it against."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from pxed.inventory import fields, scalars
from pxed.inventory.fields import Base
from pxed.inventory.scalars import expected

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")


def _host(value: str) -> str:
    """A DNS name or a dotted IPv4 address. Raises ValueError."""
    scalars.word(value)
    if re.fullmatch(r"[0-9.]+", value):
        try:
            return str(IPv4Address(value))
        except ValueError:
            raise expected(value, "an IPv4 address such as 10.0.0.1") from None
    if len(value) > 253 or _HOST.fullmatch(value) is None:
        raise expected(value, "a name such as pxe.example.org, or an IPv4 address")
    return value.lower()


Host = Annotated[str, AfterValidator(_host), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 253})]


class TlsSettings(Base):
    """The HTTPS listener, beside HTTP."""

    port: fields.Number = Field(8443, ge=1, le=65535, description="TCP port.")
    certificate: fields.Template = Field(
        description="PEM file, relative to this file: pxed's certificate, then those between it and the CA."
    )
    key: fields.Template = Field(
        description="PEM file of the certificate's private key, without a password, relative to this file."
    )
    ca: fields.Template | None = Field(
        None,
        description="PEM file of the CA that signed the certificate, relative to this file; pxed gives it to machines. "
        "Left out: machines know the CA already.",
    )
    host: Host | None = Field(
        None,
        description="Name or address of this server in https URLs, for which the certificate is. "
        "Left out: the address that the machine reached.",
    )

    @property
    def files(self) -> tuple[Path, ...]:
        """Certificate, key and CA, those that are given."""
        return tuple(path for path in (self.certificate, self.key, self.ca) if path is not None)
