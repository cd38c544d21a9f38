"""The file with the key that releases are signed with: pxed's own, or the operator's. Without OpenPGP itself."""

from __future__ import annotations

from pathlib import Path

from pxed.assets.mirror.errors import MirrorError
from pxed.inventory.releases import MirrorSettings

DEFAULT_KEY = Path(__file__).with_name("flatcar-image-signing-key.asc")


class KeyFileError(MirrorError):
    """The key file is not what it should be: no release can be verified with it."""


def key_bytes(settings: MirrorSettings) -> bytes:
    """The file as it is, which gpg imports too. Raises KeyFileError."""
    path = settings.key_file(DEFAULT_KEY)
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"cannot read the key file {path} (server.mirror.key): {error.strerror}") from None
