"""systemd.quadlets of 1.2.0-experimental: podman units become files, instances of templates become links."""

import pytest

from tests.ignition.butane.support import Memory, messages, payload, translated

VERSION = "1.2.0-experimental"
EXTENSION = (
    "unsupported file extension for quadlet: must be one of .container, .volume, .network, .kube, .image, .build, "
    ".pod, or .artifact"
)
INSTANCE = "template instances cannot have contents or contents_local"


def said(quadlet, more=""):
    """Messages about one quadlet, without severity and place."""
    *found, last = messages(f"systemd: {{quadlets: [{quadlet}]}}{more}", VERSION)
    assert last == "source config is invalid"
    return [(line.split(",")[0].removeprefix("error at $.systemd.quadlets."), line.split(": ", 1)[1]) for line in found]


def storage(quadlets, files=None):
    return translated(f"systemd: {{quadlets: {quadlets}}}", VERSION, files)["storage"]


@pytest.mark.parametrize(
    ("quadlet", "path"),
    [
        ("{name: a.container, rootful: true, contents: x}", "/etc/containers/systemd/a.container"),
        ("{name: a.pod, contents: x}", "/etc/containers/systemd/users/a.pod"),
        ("{name: a@.container, contents: x}", "/etc/containers/systemd/users/a@.container"),
        ("{name: b/../a.volume, rootful: yes, contents: x}", "/etc/containers/systemd/a.volume"),
    ],
)
def test_a_quadlet_is_a_file(quadlet, path):
    (file,) = storage(f"[{quadlet}]")["files"]
    assert (file["path"], file["mode"], payload(file["contents"])) == (path, 0o644, b"x")


@pytest.mark.parametrize(
    ("name", "target"),
    [("a@one.container", "a@.container"), ("a@1.2.container", "a@.container"), ("a.b@c.kube", "a.b@.kube")],
)
def test_an_instance_is_a_link_to_its_template(name, target):
    assert storage(f"[{{name: {name}, rootful: true}}]") == {
        "links": [{"path": f"/etc/containers/systemd/{name}", "target": target}]
    }


def test_drop_ins_and_contents_from_files():
    files = Memory({"a": b"[Container]\n", "d": b"[Service]\n"})
    found = storage("[{name: a.container, contents_local: a, dropins: [{name: d.conf, contents_local: d}]}]", files)
    assert {file["path"]: payload(file["contents"]) for file in found["files"]} == {
        "/etc/containers/systemd/users/a.container": b"[Container]\n",
        "/etc/containers/systemd/users/a.container.d/d.conf": b"[Service]\n",
    }


@pytest.mark.parametrize(
    ("quadlet", "expected"),
    [
        ("{name: a.service}", [("0.name", EXTENSION)]),
        ("{rootful: true}", [("0.name", EXTENSION)]),
        ("{name: a@b.pod, contents: x, contents_local: y}", [("0.contents", INSTANCE), ("0.contents_local", INSTANCE)]),
        (
            "{name: a.pod, contents: x, contents_local: y}",
            [("0.contents_local", "only one of the following can be set: contents, contents_local")],
        ),
    ],
)
def test_quadlets_that_cannot_be(quadlet, expected):
    assert said(quadlet) == expected


def test_a_file_of_the_same_path_stands_in_the_way():
    files = "\nstorage: {files: [{path: /etc/containers/systemd/users/a.pod}]}"
    assert said("{name: a.pod}", files) == [("0", "matching filesystem node has existing contents or different type")]
