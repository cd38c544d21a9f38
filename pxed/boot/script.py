"""The iPXE scripts: entry, machine, local disk, hold. Pure text in iPXE's own small language.

How iPXE reads a line (src/core/exec.c, src/image/script.c, src/core/settings.c; the same from 2011 to 2026): it is cut
at white space, and quotes mean nothing; a word that begins with "#" ends the line; the words "||", "&&" and ";" end a
command; a backslash before the line's end joins the next line; then ${name} is replaced in each word, over and over,
an unknown name by nothing. A line that fails ends the script. The commands used here are in Debian 12's build of 2019
and in those of today.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pxed.boot.cmdline import CommandLineError
from pxed.boot.endpoint import Endpoint
from pxed.boot.images import BootFile, Role

# A setting that is never set, so it is replaced by nothing: it keeps a word from being read as iPXE's syntax.
_NIL = "${nil}"
_SPECIAL = frozenset({"||", "&&", ";"})
_PRINTABLE = re.compile(r"[^\x20-\x7e]")
# The booted NIC is the one opened last; net0 need not be it (B4). uristring encodes the blanks of a serial number.
QUERY = (
    "mac=${netX/mac}&uuid=${uuid}&serial=${serial:uristring}&asset=${asset:uristring}"
    "&arch=${buildarch}&platform=${platform}"
)
HOLD_SECONDS = 10
# The full waiting screen comes back once a minute, for the human who arrives late.
_FULL_SCREEN_EVERY = 6
# Milliseconds without progress. A stalled server must not hold a machine for ever (B9).
_SCRIPT_TIMEOUT = 30_000
_FILE_TIMEOUT = 60_000
MAX_SHOWN = 400  # characters of a reason: five lines of the screen
_HEAD = 120  # of them from its beginning; the end of a log says most


def entry_url(endpoint: Endpoint) -> str:
    """Where iPXE asks for its machine's script. Holds iPXE settings: only for use inside a script."""
    return f"{endpoint.url}/boot.ipxe?{QUERY}"


def escape(text: str) -> str:
    """The words of `text` for an iPXE line, such that iPXE's command gets exactly `text`.

    Runs of blanks are kept. Raises CommandLineError for what iPXE cannot pass on: control characters, text that is not
    ASCII, ${...}.
    """
    if found := _PRINTABLE.search(text):
        raise CommandLineError(f"iPXE cannot pass on {found[0]!r}")
    if re.search(r"\$\{[^} ]*\}", text):
        raise CommandLineError("iPXE cannot pass on ${...}: it replaces it by one of its settings")
    return " ".join(_word(word) for word in text.split(" "))


def entry_script(endpoint: Endpoint) -> str:
    """What `chain http://HOST/boot.ipxe` at an iPXE prompt and every autoexec.ipxe give: ask again, saying who asks."""
    return _script(
        f"echo pxed: asking {_shown(endpoint.url)} what this machine boots",
        "goto ask",
        *_failed(f"no script from {endpoint.url}"),
        ":ask",
        "isset ${netX/ip} || dhcp || goto failed",
        f"{_chain(endpoint)} || goto failed",
    )


def machine_script(
    name: str,
    profile: str,
    image_name: str,
    files: Sequence[BootFile],
    *,
    endpoint: Endpoint,
    cmdline: str,
    boot: str = "",
) -> str:
    """Load kernel and initrds and start them. `cmdline` is the text that the guest shall see, `boot` the boot's id."""
    source = f"profile {_shown(profile)}, image {_shown(image_name)}, from {_shown(endpoint.url)}"
    return _script(
        f"echo pxed: {_shown(name)}: {source}",
        "goto load",
        *_failed(f"{name}: kernel or initrd not loaded from {endpoint.url}, the error is above"),
        # Ask anew rather than load anew: by then the inventory may have been put right.
        f"{_chain(endpoint, boot)} || goto failed",
        ":load",
        "imgfree",
        *(f"{line} || goto failed" for line in _loads(image_name, files, endpoint, cmdline)),
        "boot || goto failed",
    )


def local_script(name: str) -> str:
    """Hand over to the local disk: UEFI needs an error to go on in its BootOrder, BIOS the disk (B1)."""
    return _script(
        f"echo pxed: {_shown(name)}: boots its local disk",
        "iseq ${platform} efi && exit 1 ||",
        "sanboot --no-describe --drive 0x80 || exit 1",
    )


def ignored_script(reason: str) -> str:
    """For a machine that asked although policy leaves it alone: say so and go on with the next boot device."""
    return _script(
        f"echo pxed: this machine is left alone: {_shown(reason)}",
        "echo pxed: MAC ${netX/mac}, UUID ${uuid}, serial ${serial}",
        "sleep 3 ||",
        "exit 1",
    )


def failed_script(name: str, reason: str, endpoint: Endpoint, boot: str = "") -> str:
    """Nothing can be booted until an operator acts: say why, wait, ask again."""
    return _script(
        *_failed(f"{name}: {reason}"),
        f"{_chain(endpoint, boot)} || goto failed",
    )


def waiting_script(name: str, text: str, seconds: int, endpoint: Endpoint, boot: str = "") -> str:
    """Say why, wait so long, ask again."""
    return _script(
        f"echo pxed: {_shown(name)}: {_shown(_shortened(text))}",
        f"echo pxed: asking again in {seconds} seconds; Ctrl-C gives an iPXE shell",
        f"sleep {seconds} || shell",
        "goto ask",
        *_failed(f"no script from {endpoint.url}"),
        ":ask",
        f"{_chain(endpoint, boot)} || goto failed",
    )


def announcing_script(name: str, endpoint: Endpoint, *, announced: bool = False, why: str = "") -> str:
    """Be seen by DHCP, then ask again: pxed gives secrets only to boots that it saw, and it may have been restarted.

    `announced`: this boot did, and was not seen; `why`: it was, and does not count.
    """
    first = [
        f"echo pxed: {_shown(name)}: pxed has not seen the DHCP of this boot, so that comes first",
        "goto announce",
    ]
    why = why or f"pxed at {endpoint.url} does not see this machine's DHCP (server.script_only)"
    return _script(
        *([] if announced else first),
        *_failed(f"{name}: {why}"),
        ":announce",
        "dhcp netX || goto failed",
        f"{_chain(endpoint)}&announced=1 || goto failed",
    )


def hold_script(endpoint: Endpoint, round_: int = 0) -> str:
    """The waiting screen of a machine that is to be adopted. It asks again every ten seconds, `round_` counts up.

    All it shows of the machine it takes from iPXE's own settings: what the request claimed is not repeated.
    """
    full = round_ % _FULL_SCREEN_EVERY == 0
    return _script(
        *(_hold_screen(endpoint) if full else ["echo pxed: waiting to be added to the inventory: MAC ${netX/mac}"]),
        f"sleep {HOLD_SECONDS} || shell",
        "goto ask",
        *_failed(f"no script from {endpoint.url}"),
        ":ask",
        f"{_chain(endpoint)}&held={round_ + 1} || goto failed",
    )


def _hold_screen(endpoint: Endpoint) -> list[str]:
    return [
        "echo",
        f"echo pxed: this machine is not in the inventory of {_shown(endpoint.url)}",
        "echo pxed: ${manufacturer} ${product}, ${buildarch} ${platform}",
        "echo pxed: MAC ${netX/mac}",
        "echo pxed: UUID ${uuid}",
        "echo pxed: serial ${serial}",
        "echo pxed: to boot it, add under machines: in pxed's YAML file:",
        'echo NAME: {mac: "${netX/mac}", profile: PROFILE}',
        f"echo pxed: asking again every {HOLD_SECONDS} seconds; Ctrl-C gives an iPXE shell",
    ]


def _loads(image_name: str, files: Sequence[BootFile], endpoint: Endpoint, cmdline: str) -> Iterable[str]:
    for file in files:
        command = "kernel" if file.role is Role.KERNEL else "initrd"
        line = f"{command} --name {file.name} --timeout {_FILE_TIMEOUT} {file.url(image_name, endpoint)}"
        yield f"{line} {escape(cmdline)}" if file.role is Role.KERNEL and cmdline else line


def _chain(endpoint: Endpoint, boot: str = "") -> str:
    # --replace: a script that chains for days must not nest. --autofree: nor fill the memory.
    again = f"&boot={boot}" if boot else ""
    return f"chain --autofree --replace --timeout {_SCRIPT_TIMEOUT} {entry_url(endpoint)}{again}"


def _failed(what: str) -> list[str]:
    """The label :failed: say what is wrong, wait 2, 4, 8, 16, 32, then always 60 s. The wait outlives the script."""
    wait = "${pxed-wait}"
    steps = [(32, 60), (16, 32), (8, 16), (4, 8), (2, 4)]
    return [
        ":failed",
        f"isset {wait} || set pxed-wait 2",
        f"echo pxed: {_shown(what)}",
        f"echo pxed: trying again in {wait} seconds; Ctrl-C gives an iPXE shell",
        f"sleep {wait} || shell",
        *(f"iseq {wait} {now} && set pxed-wait {then} ||" for now, then in steps),
    ]


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:_HEAD]} ... {text[_HEAD - MAX_SHOWN :]}"


def _script(*lines: str) -> str:
    return "\n".join(("#!ipxe", *lines, ""))


def _word(word: str) -> str:
    if not word or word in _SPECIAL or word.startswith("#"):
        return _NIL + word
    return word + _NIL if word.endswith("\\") else word


def _shown(text: str) -> str:
    """Any text, made harmless for the screen."""
    printable = _PRINTABLE.sub("?", text).replace("${", "$ {")
    return " ".join(_word(word) for word in printable.split(" "))
