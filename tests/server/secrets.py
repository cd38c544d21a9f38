"""Everything that a daemon wrote, to be searched for what it must not say."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

# What the state store keeps of a token is in these files, as SHA-256 only; the key that tokens are made with is there
# too. A test that knows the key looks for it here itself.
STORE = ("state.db", "state.db-wal", "state.db-shm")


@dataclass(frozen=True, slots=True)
class Written:
    """One thing that was written, by the name that an assertion shows."""

    name: str
    content: bytes


def written_files(data_dir: Path, *, store: bool = True) -> Iterator[Written]:
    """Every file below the daemon's data directory but for what machines download; `store`: the database too."""
    for path in sorted(data_dir.rglob("*")):
        place = path.relative_to(data_dir)
        if not path.is_file() or place.parts[0] in ("images", "loaders", "mirror"):
            continue
        if store or path.name not in STORE:
            yield Written(str(place), path.read_bytes())


def answered(url: str, paths: Iterable[str], authorization: str = "") -> Iterator[Written]:
    """What the API answers at each of these paths, also where it refuses."""
    headers = {"Authorization": f"Bearer {authorization}"} if authorization else {}
    for path in paths:
        request = urllib.request.Request(f"{url}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                body, top = response.read(), str(response.headers)
        except urllib.error.HTTPError as error:
            with error:
                body, top = error.read(), str(error.headers)
        yield Written(path, top.encode() + body)


def leaks(secrets: Iterable[str | bytes], written: Iterable[Written]) -> list[str]:
    """Where one of the secrets stands: as it is, percent-encoded, or with its first or last half alone."""
    forms = {form for secret in secrets for form in _forms(secret)}
    return [f"{one.name}: {form[:12]!r}..." for one in written for form in sorted(forms) if form in one.content]


def _forms(secret: str | bytes) -> Iterator[bytes]:
    raw = secret.encode() if isinstance(secret, str) else secret
    assert len(raw) >= 16, "too short to be told from chance"
    yield raw
    yield quote(raw, safe="").encode()
    yield raw[: len(raw) // 2]
    yield raw[len(raw) // 2 :]
