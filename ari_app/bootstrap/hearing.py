"""What hears the callers: workers here, or a vosk-server on the LAN."""

from __future__ import annotations

import os

from ari_app.bootstrap.premises import load_model
from ari_app.config import Settings
from ari_app.ports import Meter
from ari_app.speech.recognisers import AsrWorkers
from ari_app.speech.remote import RemoteRecognisers


def recognisers(settings: Settings, meter: Meter) -> AsrWorkers | RemoteRecognisers:
    """Not started yet; ModelUnavailable."""
    speech = settings.speech
    if speech.remote:
        return RemoteRecognisers(
            speech.remote, speech.remote_rate, meter, speech.deadline, behind=speech.behind
        )
    # What this process may use, which in a container is less than there is.
    workers = speech.workers or len(os.sched_getaffinity(0))
    return AsrWorkers(
        load_model(settings),
        workers,
        meter,
        speech.deadline,
        hang=speech.hang,
        behind=speech.behind,
        spare=speech.spare,
    )
