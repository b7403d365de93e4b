"""A command beside a private PostgreSQL: `python -m tests.support.foreign.beside COMMAND …`."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.foreign.postgres import PrivatePostgres


def main() -> int:
    """The command's status; the address of an empty database is in SEGUE_BENCH_POSTGRES."""
    with PrivatePostgres() as server:
        address = {"SEGUE_BENCH_POSTGRES": server.create_database("bench")}
        return subprocess.run(sys.argv[1:], env={**os.environ, **address}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
