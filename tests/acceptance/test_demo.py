"""The demonstration, as the README tells a newcomer to run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.asterisk
@pytest.mark.vosk
@pytest.mark.usefixtures("asterisk_root")
@pytest.mark.timeout(180)
def test_the_demo_ends_well_only_if_the_receipt_came_and_the_reply_was_answered(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ari_app", "demo", "--folder", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert done.stdout.count("✓") == 3


@pytest.mark.asterisk
@pytest.mark.vosk
@pytest.mark.usefixtures("asterisk_root")
@pytest.mark.timeout(180)
def test_the_demo_fails_when_no_text_was_wanted(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ari_app", "demo", "--folder", str(tmp_path / "demo")),
            *("--say", "what are your opening hours|no thank you|goodbye"),
        ],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 1, done.stdout[-3000:]
    assert "✗ the receipt of the text arrived" in done.stdout
