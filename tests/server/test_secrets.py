"""The helper that looks for secrets finds them in each form, and nothing else."""

from __future__ import annotations

import pytest

from tests.server.secrets import Written, leaks

SECRET = "Ab3_-Zz9" * 5 + "end"
FORMS = {
    "as it is": (f"GET /x?token={SECRET}", True),
    "only its first half": (f"GET /x?token={SECRET[:25]}", True),
    "only its last half": (f"...{SECRET[-25:]}", True),
    "a few characters that any text may have": (SECRET[:8], False),
    "nothing": ("offered snponly.efi", False),
}


@pytest.mark.parametrize(("text", "found"), FORMS.values(), ids=FORMS)
def test_a_secret_is_found(text: str, found: bool) -> None:
    assert bool(leaks([SECRET], [Written("log", text.encode())])) is found
