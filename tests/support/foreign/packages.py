"""Programs out of Debian packages, unpacked in our cache: nothing is installed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from asterisk.fetch import Wanted, cache, unpacked

# Where the machine is not a Debian: old enough for the C library of any machine of today.
_OLD_SUITE = "bookworm"


def unpack(wanted: Wanted) -> Path:
    """The folder in which the packages are unpacked; fetched once per machine, under a lock.

    Their versions are in the file `PACKAGES` there. Raises ProgramMissing.
    """
    name = f"{wanted.packages[0]}-{wanted.suite}-{os.uname().machine}"
    return unpacked(wanted, cache() / "foreign" / name)


def suite_of_this_machine() -> str:
    """Debian's word for this release: packages of another one may ask for a newer C library."""
    try:
        release = Path("/etc/os-release").read_text()
    except OSError:
        return _OLD_SUITE
    named = re.search(r'^VERSION_CODENAME="?(\w+)', release, re.MULTILINE)
    is_debian = re.search(r'^ID="?debian"?$', release, re.MULTILINE)
    return named[1] if named and is_debian else _OLD_SUITE
