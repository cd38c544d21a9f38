"""Which files of a release are mirrored for an inventory. The table is wide on purpose."""
# ruff: noqa: E501

from __future__ import annotations

import pytest

from pxed.assets.mirror.layout import INITRD, INSTALL_IMAGE, KERNEL
from pxed.assets.mirror.plan import orders
from tests.inventory.support import inventory

IMAGES = "images:\n  a: {flatcar: {}}\n  b: {flatcar: {channel: beta}}\n"
LIVE, WHOLE = (KERNEL, INITRD), (KERNEL, INITRD, INSTALL_IMAGE)
CASES = [
    ("a boot from memory", "p: {image: a}", {"a": LIVE, "b": LIVE}),
    ("an installation of what is booted", "p: {image: a, boot: install, install: {disk: /dev/sda}}", {"a": WHOLE, "b": LIVE}),
    ("an installation of another image", "p: {image: a, boot: install, install: {disk: /dev/sda, image: b}}", {"a": LIVE, "b": WHOLE}),
    ("an installation of a listed release", "p: {image: a, boot: install, install: {disk: /dev/sda, channel: beta}}", {"a": LIVE, "b": WHOLE}),
    ("an installation of a release of no image", "p: {image: a, boot: install, install: {disk: /dev/sda, channel: alpha}}", {"a": LIVE, "b": LIVE, "install:alpha-amd64-current": WHOLE}),
    ("an installation that no machine does any more", "p: {image: a, install: {disk: /dev/sda}}", {"a": LIVE, "b": LIVE}),
]  # fmt: skip


@pytest.mark.parametrize(("profile", "files"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_the_image_for_the_disk_is_mirrored_for(profile: str, files: dict[str, tuple[str, ...]]) -> None:
    found = orders(inventory(f"{IMAGES}profiles:\n  {profile}\n"))
    assert {order.image: order.files for order in found} == files


def test_a_machine_of_its_own_counts() -> None:
    text = (
        f"{IMAGES}profiles: {{p: {{image: a, install: {{disk: /dev/sda}}}}}}\n"
        "machines: {m: {serial: A, profile: p, boot: install, install: {channel: lts, version: current-2024}}}\n"
    )
    found = {order.image: order for order in orders(inventory(text))}
    assert found["install:lts-amd64-current-2024"].files == WHOLE
    assert str(found["install:lts-amd64-current-2024"].line) == "lts amd64 current-2024"


@pytest.mark.parametrize(("said", "files"), [("true", WHOLE), ("false", LIVE)])
def test_what_the_image_says_counts(said: str, files: tuple[str, ...]) -> None:
    text = f"images: {{a: {{flatcar: {{install_image: {said}}}}}}}\nprofiles: {{p: {{image: a}}}}\n"
    assert [order.files for order in orders(inventory(text))] == [files]
