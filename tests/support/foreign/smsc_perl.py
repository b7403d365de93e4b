"""An SMSC made of Perl's Net::SMPP, by its own parser; the switches are in `smsc_perl.pl`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from asterisk.fetch import ProgramMissing, Wanted, can_fetch
from tests.support.foreign.packages import suite_of_this_machine, unpack
from tests.support.foreign.smsc import ForeignSmsc

_PROGRAM = Path(__file__).with_name("smsc_perl.pl")


class PerlSmsc(ForeignSmsc):
    """Start it with `async with`; ProgramMissing if there is no Perl or no Net::SMPP."""

    kind = "perl"

    def _command(self, conduct: str) -> tuple[Sequence[str | Path], dict[str, str]]:
        return (_perl(), _PROGRAM, conduct), {"PERL5LIB": str(net_smpp() / "usr/share/perl5")}


def net_smpp() -> Path:
    """The folder in which Net::SMPP is unpacked; fetched once per machine. ProgramMissing."""
    return unpack(
        Wanted(
            name="Net::SMPP",
            suite=suite_of_this_machine(),
            packages=("libnet-smpp-perl",),
            parts=("usr/share/perl5/Net/SMPP.pm",),
            download="50 kB and the lists of apt",
            space=100_000_000,
            instead="run these tests on Debian",
            alone=True,  # it needs nothing but Perl
        )
    )


def can_have_one() -> bool:
    """Whether it is here or a failure to fetch it is a failure of this machine."""
    return can_fetch() and _found_perl() is not None


def _perl() -> str:
    found = _found_perl()
    if found is None:
        raise ProgramMissing("Perl with its core modules is not on this machine: install perl.")
    return found


@cache
def _found_perl() -> str | None:
    """A Perl that has JSON and Encode: Debian's smallest machines have one without."""
    found = shutil.which("perl")
    modules = ["-MJSON::PP", "-MEncode", "-MIO::Socket::UNIX", "-e1"]
    if found is None or not os.access(found, os.X_OK):
        return None
    tried = subprocess.run([found, *modules], capture_output=True, check=False)
    return found if tried.returncode == 0 else None
