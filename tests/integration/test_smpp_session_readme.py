"""What smpp/README.md says is what is."""

import re
import subprocess
import sys
from pathlib import Path

from smpp.states import diagram

ROOT = Path(__file__).parents[2]
README = (ROOT / "smpp" / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(source: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_example_runs_and_the_text_is_delivered() -> None:
    assert run(EXAMPLES[0]).split()[1:] == ["DELIVRD"]


def test_the_fast_example_runs() -> None:
    assert run(EXAMPLES[1]) == ""


def test_the_diagram_is_the_tables() -> None:
    (drawn,) = re.findall(r"```mermaid\n(.*?)\n```", README, re.DOTALL)
    assert drawn == diagram(), "write it again: python -c 'from smpp.states import diagram; …'"
