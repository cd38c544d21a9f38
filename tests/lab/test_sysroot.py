"""Reading what the stand-in release printed."""

from __future__ import annotations

from tests.lab import sysroot

BOOT = """[    2.9] Run /init as init process
PXED-LAB cmdline console=ttyS0 flatcar.first_boot=1
PXED-LAB release 4593.2.5
PXED-LAB firmware bios
PXED-LAB oem ./config.ign
PXED-LAB log-begin
INFO     : Stage: fetch-offline
DEBUG    : parsing config with SHA512: {digest}
PXED-LAB log-end
PXED-LAB stage fetch-offline 0
PXED-LAB config {{"ignition": {{"version": "3.4.0-experimental"}}}}
PXED-LAB log-begin
PXED-LAB log-end
PXED-LAB stage files 1
PXED-LAB directory 700 500:500 1 - /home/core/.ssh
PXED-LAB file 644 0:0 2 {content} /etc/a name
    | PXED-LAB is not at the beginning here
PXED-LAB link 777 0:0 1 /dev/null /etc/systemd/system/b.service
PXED-LAB done 5.03
""".format(digest="ab" * 64, content="2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")


def test_the_print_out_is_read_line_by_line() -> None:
    found = sysroot.read(BOOT.splitlines())
    assert (found.release, found.firmware, found.address, found.done) == ("4593.2.5", "bios", "", True)
    assert found.arguments == ["console=ttyS0", "flatcar.first_boot=1"]
    assert found.oem == ("config.ign",)
    assert list(found.stages.items()) == [("fetch-offline", 0), ("files", 1)]
    assert found.digests == ["ab" * 64]
    assert found.config == {"ignition": {"version": "3.4.0-experimental"}}
    assert found.written == {
        "/home/core/.ssh": sysroot.directory(0o700, "500:500"),
        "/etc/a name": sysroot.file("hello", links=2),
        "/etc/systemd/system/b.service": sysroot.link("/dev/null"),
    }


def test_a_machine_that_never_got_to_ignition_has_no_stages() -> None:
    found = sysroot.read(BOOT.splitlines()[:4])
    assert (found.release, found.stages, found.written, found.config, found.done) == ("4593.2.5", {}, {}, None, False)
