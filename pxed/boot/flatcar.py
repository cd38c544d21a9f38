"""What a boot of Flatcar from memory would stumble over: rules over a profile's fields and arguments.

Sources: flatcar/bootengine (ignition-generator, diskless-generator, is-live-image.sh, ignition-setup-pre.sh) and
flatcar/init (flatcar-autologin-generator, ssh-key-proc-cmdline). A remark names the fields it follows from, the one to
change first. Rules that need the Ignition config are in pxed.ignition.lint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pxed.assets.flatcar import Release, embedded_problem, oem_url_problem, platform_problem
from pxed.boot.arguments import Argument, arguments, is_yes, last_value, named
from pxed.boot.delivery import embeds_config, has_ignition, needs_archive
from pxed.inventory import words
from pxed.inventory.model import Profile

FIRST_BOOT = ("flatcar.first_boot", "coreos.first_boot")
# Flatcar's Ignition takes all three (0007-internal-prv-cmdline-backport-flatcar-patch.patch).
CONFIG_URL = ("ignition.config.url", "flatcar.config.url", "coreos.config.url")
OEM_ID = ("flatcar.oem.id", "coreos.oem.id")
AUTOLOGIN = ("flatcar.autologin", "coreos.autologin")
# A boot from disk is told by this pattern anywhere in the text (is-live-image.sh), "verity.usr=" included.
_FROM_DISK = re.compile(r"\b(?:mount\.)?usr=\S+")
_DISK_ONLY = re.compile(r"(?:mount\.|verity\.)?usr(?:hash|flags|fstype)?|(?:flatcar|coreos)\.randomize_guid")
_CONFIG_FIELDS = ("butane", "ignition", "ignition_url", "ignition_base")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something of a profile that its machines would stumble over."""

    fields: tuple[str, ...]  # what it follows from; the first is what to change
    sentence: str
    warning: bool = True


def remarks(profile: Profile, line: str, release: Release) -> Iterator[Remark]:
    """Everything to be said of a profile that boots Flatcar from memory. `line` is a command line of its machines."""
    args = arguments(profile.args)
    yield from _disk_words(args, line)
    yield from _root(profile, args)
    yield from _first_boot(profile, args, line)
    yield from _config_url(profile, args, release)
    yield from _delivery(profile, release)
    yield from _platform(args, release)
    yield from _network(args)
    yield from _autologin(profile, args)
    yield from _ssh_keys(profile, args)


def _disk_words(args: tuple[Argument, ...], line: str) -> Iterator[Remark]:
    """A live boot is one without usr=: with it the initramfs looks for a disk and waits for it."""
    found = [argument for argument in args if _DISK_ONLY.fullmatch(argument.name)]
    for argument in found:
        sentence = f"{argument.name} belongs to a boot from disk, and Flatcar would look for that disk: remove it"
        yield Remark(("args",), sentence, warning=False)
    if not found and (told := _FROM_DISK.search(line)):
        yield Remark(
            ("args", "ignition_url"),
            f"{told[0][:40]!r} on the command line makes Flatcar look for a disk to boot from, wherever it stands: "
            "write it in another way (in a URL, %75sr=)",
            warning=False,
        )


def _root(profile: Profile, args: tuple[Argument, ...]) -> Iterator[Remark]:
    in_args = last_value(args, "root")
    kind = last_value(args, "rootfstype")
    kind, field = (kind, "args") if kind is not None else (profile.rootfstype, "rootfstype")
    if in_args is not None and has_ignition(profile):
        yield Remark(
            ("args", *_CONFIG_FIELDS),
            "root= in args has Ignition run at every boot, on what the last left: give it as root, and it runs once",
        )
    if not profile.root and not in_args and kind not in (None, "tmpfs", "btrfs"):
        yield Remark(
            (field,), f"rootfstype={kind} needs a root: in memory Flatcar has tmpfs and btrfs only", warning=False
        )
    if (profile.root or in_args) and kind == "tmpfs":
        yield Remark(
            (field, "root"),
            "rootfstype: tmpfs has systemd mount a tmpfs in place of the local root, which is lost at the next boot: "
            "leave rootfstype or root out",
        )


def _first_boot(profile: Profile, args: tuple[Argument, ...], line: str) -> Iterator[Remark]:
    for argument in named(args, *FIRST_BOOT):
        if argument.value == "detected":
            sentence = f"{argument.text} makes Flatcar look for a boot partition that a boot from memory does not have"
            yield Remark(("args",), f"{sentence}: write first_boot: true", warning=False)
    if _runs_ignition(line) or profile.root or last_value(args, "root"):
        return
    if has_ignition(profile):
        in_args = last_value(args, *FIRST_BOOT) is not None
        yield Remark(
            ("args" if in_args else "first_boot", *_CONFIG_FIELDS),
            "Ignition does not run without flatcar.first_boot=1, so the config is not applied: "
            "leave first_boot out, or remove the config",
        )
    elif last_value(args, *CONFIG_URL):
        yield Remark(
            ("args", "first_boot"),
            "a config's URL in args does nothing without flatcar.first_boot=1: give it as ignition_url, "
            "or add first_boot: true",
        )


def _runs_ignition(line: str) -> bool:
    """The last word of a name counts, and either name is enough (ignition-generator)."""
    given = arguments(word for word in line.split(" ") if "first_boot" in word)
    last = (list(named(given, name))[-1:] for name in FIRST_BOOT)
    return any(is_yes(argument) for found in last for argument in found)


def _config_url(profile: Profile, args: tuple[Argument, ...], release: Release) -> Iterator[Remark]:
    in_args = last_value(args, *CONFIG_URL)
    if in_args and has_ignition(profile):
        yield Remark(
            ("args", *_CONFIG_FIELDS),
            f"{in_args[:60]} in args wins, so the profile's own config is not used: remove one of them",
        )
    for field, url in (("args", in_args), ("ignition_url", profile.ignition_url)):
        problem = oem_url_problem(release.channel, release.version) if url and url.lower().startswith("oem:") else ""
        if problem and url:
            sentence = f"{url[:100]} is not found by {release}: {problem}; take another version, or an http URL"
            yield Remark((field, "image"), sentence, warning=not release.pinned)


def _delivery(profile: Profile, release: Release) -> Iterator[Remark]:
    """Both the config and the files of the machine's own initrd."""
    if profile.ignition_delivery == "embedded" and profile.ignition_url:
        yield Remark(
            ("ignition_delivery", "ignition_url"),
            "pxed does not embed the config of another server, the machine fetches it: give the config as a file "
            "(butane or ignition), or leave ignition_delivery out",
        )
    problem = embedded_problem(release.channel, release.version) if needs_archive(profile) else ""
    if not problem:
        return
    embedded = embeds_config(profile)
    what, remedy = ("embedded", "use ignition_delivery: url, or") if embedded else ("oem_files", "use")
    yield Remark(
        ("ignition_delivery" if embedded else "oem_files", "image"),
        f"{what} does not work with {release}: {problem}; {remedy} another version",
        warning=not release.pinned,
    )


def _platform(args: tuple[Argument, ...], release: Release) -> Iterator[Remark]:
    if last_value(args, *OEM_ID) == "pxe" and platform_problem(release.channel, release.version):
        yield Remark(
            ("args", "image"),
            "flatcar.oem.id=pxe stops the boot of Flatcar 3185 to 3227 (flatcar/Flatcar#742): "
            "remove it, and Flatcar says metal itself",
        )
    for argument in named(args, "ignition.platform.id"):
        yield Remark(("args",), f"{argument.text} is not read by Flatcar: write flatcar.oem.id={argument.value or ''}")
    for argument in named(args, "systemd.machine_id"):
        if not re.fullmatch(r"[0-9a-fA-F]{32}", argument.value or ""):
            yield Remark(("args",), f"{argument.text[:60]} is ignored: expected 32 hexadecimal digits")


def _network(args: tuple[Argument, ...]) -> Iterator[Remark]:
    """parse-ip-for-networkd.sh ends the boot ("die") over what it does not know."""
    for argument in named(args, "ip"):
        try:
            words.ip(argument.value or "")
        except ValueError as error:
            yield Remark(("args",), f"ip= would stop the boot: {error}", warning=False)
            continue
        alone = bool(re.fullmatch(r"[0-9.]+", argument.value or ""))
        if alone and not last_value(args, "netmask"):
            yield Remark(("args",), f"{argument.text} needs netmask= beside it, or Flatcar stops the boot", False)


def _autologin(profile: Profile, args: tuple[Argument, ...]) -> Iterator[Remark]:
    given = [("args", argument.value) for argument in named(args, *AUTOLOGIN)]
    if profile.autologin is True:
        given.append(("autologin", None))
    elif profile.autologin:
        given += [("autologin", tty) for tty in profile.autologin]
    if not given:
        return
    where = ", ".join(dict.fromkeys(tty or "every console" for _, tty in given))
    yield Remark(
        tuple(dict.fromkeys(field for field, _ in given)),
        f"whoever reaches {where} gets a shell without a password, and as root when the boot fails: "
        "remove autologin when you need it no more",
    )
    consoles = {
        console.partition(",")[0] for console in (*profile.console, *(a.value or "" for a in named(args, "console")))
    }
    for field, tty in given:
        if tty and (sentence := _without_login(tty, consoles)):
            yield Remark((field, "console"), sentence)


def _without_login(tty: str, consoles: set[str]) -> str:
    """Why autologin does nothing on this terminal; "" when it works."""
    if tty == "tty0":
        return "autologin on tty0 does nothing: the login prompts of a screen are on tty1, tty2 and so on"
    if "S" not in tty and not re.fullmatch(r"tty\d+", tty):
        return f"autologin on {tty} does nothing: Flatcar knows tty1 and ttyS0 by name; use autologin: true"
    if "S" in tty and tty not in consoles:
        return f"autologin on {tty} needs console: [{tty}] beside it, or that terminal may have no login prompt"
    return ""


def _ssh_keys(profile: Profile, args: tuple[Argument, ...]) -> Iterator[Remark]:
    """ssh-key-proc-cmdline matches sshkey="([^"]+)" once, so the first one is all it takes."""
    in_args = list(named(args, "sshkey"))
    fields = tuple(field for field, given in (("ssh_keys", profile.ssh_keys), ("args", in_args)) if given)
    if len(profile.ssh_keys) + len(in_args) > 1:
        yield Remark(
            fields,
            "Flatcar takes the first ssh key of the command line and no other: "
            "put all of them into the config (passwd.users, ssh_authorized_keys)",
        )
    for argument in in_args:
        if not argument.text.startswith('sshkey="'):
            yield Remark(
                ("args",), 'Flatcar takes a key only from sshkey="...", the quotes after the equals sign: use ssh_keys'
            )
