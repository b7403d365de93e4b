"""What hears the callers: workers here, or a vosk-server on the LAN."""

from __future__ import annotations

import os

from ari_app.bootstrap.premises import load_model, load_models
from ari_app.config import Settings
from ari_app.ports import Meter
from ari_app.speech.hearing import Hearing
from ari_app.speech.model import ModelFacts
from ari_app.speech.recognisers import AsrWorkers
from ari_app.speech.remote import RemoteRecognisers


def recognisers(settings: Settings, meter: Meter) -> Hearing:
    """Not started yet; ModelUnavailable."""
    speech = settings.speech
    if speech.remote:
        remote = RemoteRecognisers(
            speech.remote, speech.remote_rate, meter, speech.deadline, behind=speech.behind
        )
        return Hearing(remote, takes_phrases=False, knows=lambda phrase: False)
    others = {tag: _of(settings, facts, meter) for tag, facts in load_models(settings).items()}
    return _of(settings, load_model(settings), meter, others)


def _of(
    settings: Settings,
    facts: ModelFacts,
    meter: Meter,
    others: dict[str, Hearing] | None = None,
) -> Hearing:
    speech = settings.speech
    # What this process may use, which in a container is less than there is.
    workers = AsrWorkers(
        facts,
        speech.workers or len(os.sched_getaffinity(0)),
        meter,
        speech.deadline,
        hang=speech.hang,
        behind=speech.behind,
        spare=speech.spare,
    )
    return Hearing(workers, facts.dynamic, workers.knows, others)
