"""What `pxed check` says of Ignition configs that are right by themselves, and stop a boot all the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.assets.flatcar import Release
from pxed.ignition.lint import Finding, Severity, config_findings
from pxed.inventory.model import Boot, Profile

STABLE = ("stable", "4593.2.5")
LTS_2023 = ("lts", "3510.3.8")


def config(version: str = "3.3.0", **sections: Any) -> dict[str, Any]:
    return {"ignition": {"version": version}, **sections}


def findings(
    found: dict[str, Any], flatcar: tuple[str, str] | None = STABLE, *, installed: bool = False, **fields: Any
) -> list[Finding]:
    return list(config_findings(found, profile=Profile(**fields), flatcar=flatcar, installed=installed))


@pytest.mark.parametrize(
    ("version", "flatcar"),
    [
        pytest.param("3.3.0", STABLE, id="older than what it takes"),
        pytest.param("3.5.0", STABLE, id="the newest that it takes"),
        pytest.param("3.3.0", LTS_2023, id="the newest that LTS 2023 takes"),
        pytest.param("2.3.0", STABLE, id="a config of before Ignition 2, which Flatcar converts"),
        pytest.param("2.3.0", ("stable", "2905.2.0"), id="what Ignition 0.36 takes"),
        pytest.param("3.9.0", ("", ""), id="nothing is known of the release"),
        pytest.param("3.9.0", ("edge", "current"), id="nothing is known of edge"),
        pytest.param("3.9.0", None, id="another system"),
        pytest.param("", STABLE, id="no version: the config's own check tells that"),
    ],
)
def test_a_config_that_is_taken_gets_no_finding(version: str, flatcar: tuple[str, str] | None) -> None:
    assert findings(config(version), flatcar) == []


@pytest.mark.parametrize(
    ("version", "flatcar", "fields", "severity", "parts"),
    [
        pytest.param(
            "3.4.0", LTS_2023, {"butane": "w.bu"}, "error",
            ["version 3.4.0, but Flatcar lts 3510.3.8 takes 3.3.0 at most", "say version: 1.0.0 in the Butane config"],
            id="Butane 1.1.0 on LTS 2023",
        ),
        pytest.param(
            "3.4.0", ("lts", "current-2023"), {"butane": "w.bu"}, "error", ["lts current-2023 takes 3.3.0"],
            id="Butane 1.1.0 on LTS 2023, which keeps its Ignition",
        ),
        pytest.param(
            "3.5.0", ("lts", "current"), {"ignition": "w.ign"}, "warning", ["3.4.0 at most, as far as pxed knows"],
            id="newer than LTS was, and a new year may be here",
        ),
        pytest.param(
            "3.5.0", Release("lts", "4081.3.10", follows=True), {"butane": "w.bu"}, "error", ["3.4.0 at most: say"],
            id="newer than what is mirrored now",
        ),
        pytest.param(
            "3.4.0", LTS_2023, {"ignition": "w.ign"}, "error", ["write it for 3.3.0, or boot a newer Flatcar"],
            id="its Ignition config",
        ),
        pytest.param(
            "3.3.0", ("stable", "3139.2.3"), {"butane": "w.bu"}, "error",
            ["takes 2.3.0 at most", "no version of Butane makes 2.3.0: give an ignition config"],
            id="Butane on a Flatcar of before Ignition 2",
        ),
        pytest.param(
            "3.6.0", STABLE, {"ignition": "w.ign"}, "error", ["takes 3.5.0 at most: write it for 3.5.0"],
            id="newer than any Flatcar that is known",
        ),
        pytest.param(
            "3.6.0", ("stable", "current"), {"ignition": "w.ign"}, "warning", ["3.5.0 at most, as far as pxed knows"],
            id="newer than what current was",
        ),
        pytest.param(
            "3.6.0", ("alpha", "5300.0.0"), {"ignition": "w.ign"}, "warning", ["as far as pxed knows"],
            id="newer than what is known of a future release",
        ),
        pytest.param(
            "3.7.0-experimental", STABLE, {"butane": "w.bu"}, "error",
            ["which no release of Flatcar takes: say version: 1.1.0"], id="Butane 1.2.0-experimental",
        ),
    ],
)  # fmt: skip
def test_a_config_that_is_too_new_for_its_release_is_told(
    version: str, flatcar: tuple[str, str], fields: dict[str, Any], severity: str, parts: list[str]
) -> None:
    (found,) = findings(config(version), flatcar, **fields)
    assert found.severity == severity
    for part in parts:
        assert part in found.sentence


def test_kernel_arguments_are_an_error_on_a_boot_from_memory_and_named() -> None:
    (found,) = findings(config(kernelArguments={"shouldExist": ["quiet", "mitigations=off"]}))
    assert found.severity is Severity.ERROR
    assert found.sentence.endswith("move them to args of the profile: [quiet, mitigations=off]")


def test_kernel_arguments_to_take_away_change_nothing() -> None:
    (found,) = findings(config(kernelArguments={"shouldNotExist": ["quiet"]}))
    assert found.severity is Severity.WARNING


def test_kernel_arguments_are_well_on_an_installed_system() -> None:
    installed = config(kernelArguments={"shouldExist": ["quiet"]})
    assert findings(installed, boot=Boot.INSTALL, installed=True) == []
    assert findings(installed, boot=Boot.LOCAL) == []


def test_kernel_arguments_are_an_error_in_the_live_system_that_installs() -> None:
    (found,) = findings(config(kernelArguments={"shouldExist": ["quiet"]}), boot=Boot.INSTALL)
    assert found.severity is Severity.ERROR


ROOT = {
    "filesystems": [{"device": "/dev/sda2", "path": "/var"}, {"device": "/dev/sda1", "path": "/", "format": "ext4"}]
}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"root": "LABEL=ROOT"}, id="root as a field"),
        pytest.param({"args": ("root=LABEL=ROOT",)}, id="root in args"),
    ],
)
def test_a_local_root_must_not_be_mounted_by_ignition_again(fields: dict[str, Any]) -> None:
    (found,) = findings(config(storage=ROOT), **fields)
    assert found.severity is Severity.ERROR
    assert "the filesystem of /dev/sda1 has path: / and the profile has root: LABEL=ROOT" in found.sentence
    assert "leave path out" in found.sentence


def test_other_filesystems_beside_a_local_root_are_well() -> None:
    assert findings(config(storage={"filesystems": ROOT["filesystems"][:1]}), root="LABEL=ROOT") == []


OEM = {"files": [{"path": "/etc/x", "contents": {"source": "oem:///x"}}]}


@pytest.mark.parametrize(
    ("flatcar", "severity"),
    [
        pytest.param(("beta", "4593.1.0"), "error", id="a release that loses the files"),
        pytest.param(("stable", "3760.2.0"), None, id="a release that loses the embedded config only"),
        pytest.param(("beta", "4628.1.0"), None, id="a release with the fix"),
        pytest.param(("beta", "current"), None, id="what is current"),
    ],
)
def test_oem_urls_are_refused_for_a_release_that_does_not_find_them(
    flatcar: tuple[str, str], severity: str | None
) -> None:
    found = findings(config("3.4.0", storage=OEM), flatcar)
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_oem_urls_in_a_config_of_3_5_are_doubtful() -> None:
    (found,) = findings(config("3.5.0", storage=OEM))
    assert found.severity is Severity.WARNING
    assert found.sentence.endswith("write the config for 3.4.0")


def test_an_oem_url_is_found_wherever_a_config_may_have_one() -> None:
    merged = config("3.4.0")
    merged["ignition"]["config"] = {"merge": [{"source": "data:,x"}, {"source": "OEM:///base.ign"}]}
    (found,) = findings(merged, ("beta", "4593.1.0"))
    assert found.sentence.startswith("OEM:///base.ign is not found by Flatcar beta 4593.1.0")


def test_every_finding_of_a_config_is_told_at_once() -> None:
    everything = config("3.5.0", kernelArguments={"shouldExist": ["a"]}, storage=ROOT | OEM)
    assert len(findings(everything, ("alpha", "4000.0.0"), root="/dev/sda1")) == 4


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["3.4.0", "oem:///", "/"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["ignition", "version", "kernelArguments", "shouldExist", "storage", "filesystems", "path", "source"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["ignition", "kernelArguments", "storage", "x"]), json_values, max_size=4))
def test_a_config_of_any_shape_is_judged_without_a_fault(anything: dict[str, Any]) -> None:
    assert all(found.sentence for found in findings(anything, root="LABEL=ROOT"))


def test_a_config_as_deep_as_can_be_is_judged() -> None:
    deep: dict[str, Any] = {"source": "oem:///x"}
    for _ in range(100_000):
        deep = {"a": deep}
    assert len(findings(config("3.4.0", storage=deep), ("beta", "4593.1.0"))) == 1
