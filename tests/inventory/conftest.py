"""Examples are not timed here: the machine that runs the tests is shared."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("inventory", deadline=None)
settings.load_profile("inventory")
