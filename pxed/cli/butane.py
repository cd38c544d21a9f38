"""pxed butane: Butane to Ignition, with the options, streams and exit codes of the reference tool."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pxed import __version__
from pxed.assets.filesdir import FilesDir
from pxed.ignition import butane

REFERENCE = "0.29.0"  # the release of Butane whose semantics and messages these are

USAGE = """\
Usage: pxed butane [options] [input-file]
Options:
  -c, --check                     check config without producing output
      --color string[="always"]   control color output: "auto", "always", or "never" (default "auto")
  -d, --files-dir string          allow embedding local files from this directory
  -h, --help                      show usage and exit
  -o, --output string             write to output file instead of stdout
  -p, --pretty                    output formatted json
  -r, --raw                       never wrap in a MachineConfig; force Ignition output
      --raw-errors                show raw errors, rather than pretty printing them
  -s, --strict                    fail on any warning
  -V, --version                   print the version and exit
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    check: bool = False
    color: str = "auto"
    files_dir: str = ""
    output: str = ""
    pretty: bool = False
    raw_errors: bool = False
    strict: bool = False


def run(inputs: Sequence[str], options: Options) -> int:
    """Transpiles one file, or standard input; 0, or 1 when there is no output, or 2 for a wrong command line."""
    if len(inputs) > 1:
        sys.stderr.write(USAGE)
        return 2
    name = inputs[0] if inputs else "<stdin>"
    try:
        source = Path(name).read_bytes() if inputs else sys.stdin.buffer.read()
    except OSError as failure:
        # Go opens a directory and only fails to read it.
        step = "read" if isinstance(failure, IsADirectoryError) else "open"
        return _fail(f"failed to {step} {name}: {_words(step, failure)}")
    files = FilesDir(Path(options.files_dir)) if options.files_dir else None
    result = butane.translate(source, files=files, pretty=options.pretty)
    _say(_report(result, name, source, options))
    if result.output is None:
        return _fail(f"Error translating config: {result.error}")
    if options.strict and result.entries:
        return _fail("Config produced warnings and --strict was specified")
    return 0 if options.check else _write(result.output + b"\n", options.output)


def show_version() -> int:
    """Prints pxed's version and the release of Butane that it follows."""
    print(f"pxed {__version__} (Butane {REFERENCE}, variant flatcar)")
    return 0


def _report(result: butane.Result, name: str, source: bytes, options: Options) -> str:
    if options.raw_errors:
        return "".join(f"{entry}\n" for entry in result.entries)
    colour = options.color in ("always", "yes") or (
        options.color == "auto" and "NO_COLOR" not in os.environ and sys.stderr.isatty()
    )
    return butane.pretty(result.entries, name, source, colour=colour)


def _write(data: bytes, output: str) -> int:
    if not output:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return 0
    try:
        Path(output).write_bytes(data)
    except OSError as failure:
        return _fail(f"failed to open {output}: {_words('open', failure)}")
    return 0


def _fail(message: str) -> int:
    _say(f"{message}\n")
    return 1


def _say(text: str) -> None:
    """To standard error, which may not be able to show every character."""
    sys.stderr.write(text.encode(errors="replace").decode())


def _words(operation: str, failure: OSError) -> str:
    """What the system said, as Go prints it."""
    reason = failure.strerror or str(failure)
    return f"{operation} {failure.filename}: {reason[0].lower()}{reason[1:]}"
