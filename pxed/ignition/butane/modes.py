"""The heuristic for a mode written in decimal (`mode: 644`): isTypicalMode of Butane's base/util/file.go."""

from __future__ import annotations

WARNING = "unreasonable mode would be reasonable if specified in octal; remember to add a leading zero"


def looks_decimal(mode: int, directory: bool) -> bool:
    """Whether the mode is odd, but would be ordinary if its decimal digits were octal."""
    if not 0 <= mode <= 7777 or set(str(mode)) & set("89"):
        return False
    return not _typical(mode, directory) and _typical(int(str(mode), 8), directory)


def _typical(mode: int, directory: bool) -> bool:
    """Whether a mode surprises nobody. Valid but rare modes are not typical."""
    if mode == 0:
        return True  # root ignores modes
    had = 0
    for perm in (mode & 7, mode >> 3 & 7, mode >> 6 & 7):  # others, group, user: each at least what the last one had
        odd_execute = perm & 1 and had & 4 and not had & 1  # rwxr-----
        write_only = perm & 3 and not perm & 4
        if had & ~perm or odd_execute or write_only:
            return False
        had |= perm
    if not had & 4:
        return False
    return _typical_directory(mode, had) if directory else _typical_file(mode, had)


def _typical_directory(mode: int, had: int) -> bool:
    useless = mode & 0o3000 and not had & 2  # setgid or sticky where nobody writes
    return bool(had & 1) and not mode & 0o4000 and not useless


def _typical_file(mode: int, had: int) -> bool:
    unsafe = mode & 0o6000 and (not had & 1 or mode & 2)  # setuid or setgid: executable, and not written by all
    return not unsafe and not mode & 0o1000
