"""Butane -> Ignition: the steps of Butane's config/util/util.go, in its order, each ending the work when it fails.

YAML, variant and version; the typed decode; unused keys; Butane's validation; translation; forbidden fields;
duplicates and Ignition's validation of the result; JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pxed.ignition import spec as ignition
from pxed.ignition.butane import nodes as yaml_nodes
from pxed.ignition.butane.check import check
from pxed.ignition.butane.decode import Decoder, Struct
from pxed.ignition.butane.desugar import Desugar
from pxed.ignition.butane.local import Files, LocalFiles
from pxed.ignition.butane.mounts import add_mount_units
from pxed.ignition.butane.nodes import Node, YamlError
from pxed.ignition.butane.origins import Origins
from pxed.ignition.butane.places import Nodes
from pxed.ignition.butane.quadlets import add_quadlets
from pxed.ignition.butane.report import Entry, Note, error, place
from pxed.ignition.butane.schema import Spec, common_fields, config_struct
from pxed.ignition.butane.trees import add_trees
from pxed.ignition.butane.unused import unused_keys
from pxed.ignition.butane.variant import UnknownVariantError, spec_for

SOURCE_INVALID = "source config is invalid"
RESULT_INVALID = "config generated was invalid"
_COMMON = common_fields()


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a config. `output` is None exactly when `error` says why; entries may be there in either case."""

    output: bytes | None  # JSON without a newline at its end
    entries: tuple[Entry, ...] = ()
    error: str = ""  # in Butane's words: "source config is invalid"
    version: str = ""  # of Ignition; "" when the config's own version is not known
    local_files: tuple[str, ...] = ()  # files and directories that were asked for, relative to the files directory

    @property
    def ok(self) -> bool:
        """Whether there is an output and nothing at all to say about it: what --strict asks for."""
        return self.output is not None and not self.entries


class _Failed(Exception):  # noqa: N818
    """A step failed; carries Butane's words for it."""


def translate(text: bytes | str, *, files: LocalFiles | None = None, pretty: bool = False) -> Result:
    """The Ignition config of a Butane config of variant flatcar. Never raises for what a config says."""
    source = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    try:
        document = yaml_nodes.parse(source)
        spec = _spec_of(document)
    except YamlError as failure:
        return Result(None, error=f"Error unmarshaling yaml: {failure}")
    except UnknownVariantError as failure:
        return Result(None, error=str(failure))
    work = _Work(document, spec, Files(files))
    output, failed = None, ""
    try:
        output = ignition.marshal(work.run(), spec.ignition, pretty=pretty)
    except _Failed as failure:
        failed = str(failure)
    return Result(output, tuple(work.entries), failed, spec.ignition, tuple(sorted(work.files.asked)))


def _spec_of(document: yaml_nodes.Document) -> Spec:
    """What the config says it is. Raises YamlError and UnknownVariantError."""
    common = _decode(_COMMON, document)[0] if document.root is not None else {}
    return spec_for(common.get("variant", ""), common.get("version", ""))


def _decode(struct: Struct, document: yaml_nodes.Document) -> tuple[dict[str, Any], bool]:
    """The decoded root and whether it matches the text one to one. Raises YamlError."""
    assert document.root is not None  # noqa: S101
    decoder = Decoder(document.aliases)
    value = struct.decode(decoder, document.root)
    if decoder.errors:
        raise YamlError("yaml: unmarshal errors:\n  " + "\n  ".join(decoder.errors))
    return (value if isinstance(value, dict) else {}), not decoder.irregular


class _Work:
    """One config on its way."""

    def __init__(self, document: yaml_nodes.Document, spec: Spec, files: Files) -> None:
        self.entries: list[Entry] = []
        self.files = files
        self._document, self._spec = document, spec
        self._origins = Origins()

    def run(self) -> dict[str, Any]:
        """The Ignition config. Raises _Failed; entries tell what was found on the way."""
        struct = config_struct(self._spec.version)
        try:
            value, regular = _decode(struct, self._document)
        except YamlError as failure:
            raise _Failed(str(failure)) from None
        if not regular:
            self._note(unused_keys(struct, value, self._root()))
        self._note(check(struct, value, self._spec.ignition), SOURCE_INVALID)
        config = self._translate(struct, value)
        self._note(self._forbidden(config), SOURCE_INVALID)
        found = (*ignition.duplicates(config, self._spec.ignition), *ignition.validate(config, self._spec.ignition))
        self._note(
            (Note(finding.severity, self._origins.of(finding.path), finding.message) for finding in found),
            RESULT_INVALID,
        )
        return config

    def _translate(self, struct: Struct, value: dict[str, Any]) -> dict[str, Any]:
        desugar = Desugar(self.files, self._origins)
        config = desugar.struct(struct, value, ())
        config.setdefault("ignition", {})["version"] = self._spec.ignition
        self._origins.exact["ignition", "version"] = ("version",)
        notes = desugar.notes
        storage, systemd = value.get("storage", {}), value.get("systemd", {})
        add_mount_units(config, storage, self._spec.ignition, self._origins)
        if storage.get("trees") or systemd.get("quadlets"):
            nodes = Nodes(config, self._origins)
            notes += add_trees(storage.get("trees", []), nodes, self.files)
            notes += add_quadlets(systemd.get("quadlets", []), nodes, self.files)
        self._note(notes, SOURCE_INVALID)
        return config

    def _forbidden(self, config: dict[str, Any]) -> Iterable[Note]:
        """The field filter of the variant."""
        name, message = self._spec.forbidden
        for index, luks in enumerate(config.get("storage", {}).get("luks", ())):
            if luks.get(name):
                yield error(("storage", "luks", index, name), message)

    def _note(self, notes: Iterable[Note], failure: str = "") -> None:
        """Adds notes, each with its place. Raises _Failed when one of them is an error."""
        fatal = False
        for note in notes:
            fatal |= note.fatal
            self.entries.append(place(note, self._root()))
        if fatal and failure:
            raise _Failed(failure)

    def _root(self) -> Node:
        root = self._document.root
        assert root is not None  # noqa: S101
        return root
