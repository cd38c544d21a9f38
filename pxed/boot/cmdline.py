"""The kernel command line of a machine that boots from memory: exactly the text that the guest shall see.

Flatcar's words: https://www.flatcar.org/docs/latest/installing/bare-metal/booting-with-ipxe/ . Its generators read the
words of /proc/cmdline and the last occurrence wins, so the operator's own `args` come last. A profile without an
Ignition config gets none of Flatcar's words: the image may be any kernel. How the text passes through iPXE's parser is
the script's matter (pxed.boot.script).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pxed.boot.delivery import (
    fetches_config,
    has_ignition,
    ignition_url,
    machine_files,
    made_installer,
    report_url,
)
from pxed.boot.endpoint import Endpoint
from pxed.boot.images import Role
from pxed.errors import PxedError
from pxed.inventory.lookup import Identity, Match
from pxed.inventory.model import Image, Profile

REPORT_WORD = "pxed.report"  # where an operating system reports that has no config of pxed's to say it
# COMMAND_LINE_SIZE is 2048 on x86 and arm64, the closing NUL included.
MAX_LENGTH = 2047
# iPXE's MAX_ARGUMENTS is 255 and the URL of the kernel is one of them (src/include/ipxe/parseopt.h).
MAX_WORDS = 254
# UEFI hands the text over as UCS-2, which iPXE widens byte by byte: only ASCII arrives as it was.
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
# iPXE expands ${...} again and again until none is left, so there is no way to escape one (src/core/settings.c).
_EXPANSION = re.compile(r"\$\{[^} ]*\}")


class CommandLineError(PxedError):
    """A command line that the kernel would not get as it is meant."""


def kernel_command_line(
    match: Match,
    endpoint: Endpoint,
    image: Image,
    identity: Identity | None = None,
    *,
    token: str = "",
    report: str = "",
    installs: bool = False,
    secure: bool = False,
    first_boot_done: bool = False,
) -> str:
    """The words for one boot. `identity` is what the request said of the machine: its MAC is the NIC it boots from.

    `token` opens its config, `report` its reports where no config carries that; `installs`: the config is the
    installer's; `secure`: it is fetched by HTTPS. `first_boot_done`: this machine's persistent root has had its first
    boot, so Ignition must not run again.
    """
    identity = identity or Identity()
    files = machine_files(match, image, endpoint, identity)
    return " ".join(
        [
            *(f"initrd={file.name}" for file in files if file.role is Role.INITRD),
            *_ignition_words(
                match,
                image,
                installs,
                first_boot_done,
                lambda made: ignition_url(match, endpoint, identity, token, made=made, secure=secure),
            ),
            *_profile_words(match.profile),
            *([f"{REPORT_WORD}={report_url(match, endpoint, identity, report, secure=secure)}"] if report else []),
            *([f"BOOTIF=01-{identity.mac.replace(':', '-')}"] if identity.mac else []),
            *match.profile.args,
        ]
    )


def faults(line: str) -> Iterator[str]:
    """What keeps the guest from getting exactly this text, one sentence each. See check_length() for the length."""
    if found := _UNPRINTABLE.search(line):
        yield f"{found[0]!r} cannot be passed to a kernel: only printable ASCII can"
    if found := _EXPANSION.search(line):
        yield f"{found[0]!r} cannot be passed to a kernel: iPXE replaces ${{...}} by one of its settings"


def check_length(line: str, kernel_name: str = "") -> str | None:
    """The sentence to refuse an over-long command line with. Under UEFI the kernel's name is a part of it."""
    length = len(line.encode()) + (len(kernel_name) + 1 if kernel_name else 0)
    if length > MAX_LENGTH:
        return (
            f"the kernel command line would be {length} bytes long; kernels take {MAX_LENGTH}: shorten args or ssh_keys"
        )
    if len(words := line.split(" ")) > MAX_WORDS:
        return f"the kernel command line would have {len(words)} words; iPXE takes {MAX_WORDS}: shorten args"
    return None


def checked(line: str, kernel_name: str = "") -> str:
    """The line itself. Raises CommandLineError when the guest would not get exactly it."""
    sentences = [*faults(line), *filter(None, [check_length(line, kernel_name)])]
    if sentences:
        raise CommandLineError("; ".join(sentences))
    return line


def _ignition_words(
    match: Match, image: Image, installs: bool, first_boot_done: bool, url: Callable[[bool], str]
) -> Iterator[str]:
    profile, installer = match.profile, made_installer(image, installs)
    if installer or _runs_ignition(profile, first_boot_done):
        yield "flatcar.first_boot=1"
    if installer or fetches_config(profile):
        yield f"ignition.config.url={url(installer)}"


def _runs_ignition(profile: Profile, first_boot_done: bool) -> bool:
    """A root in RAM is new at every boot; a root on a disk has one first boot."""
    if profile.first_boot is not None:
        return profile.first_boot
    return has_ignition(profile) and not (profile.root and first_boot_done)


def _profile_words(profile: Profile) -> Iterator[str]:
    if profile.rootfstype:
        yield f"rootfstype={profile.rootfstype}"
    if profile.root:
        yield f"root={profile.root}"
    yield from (f"ip={value}" for value in profile.ip)
    yield from (f"console={value}" for value in profile.console)
    if profile.autologin is True:
        yield "flatcar.autologin"
    elif profile.autologin:
        yield from (f"flatcar.autologin={tty}" for tty in profile.autologin)
    # Flatcar looks for sshkey="([^"]+)": the quotes belong to it (ssh-key-proc-cmdline).
    yield from (f'sshkey="{key.strip()}"' for key in profile.ssh_keys)
