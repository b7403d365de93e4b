"""The only room that knows every concrete class: who is who, and in which order they start."""

from ari_app.bootstrap.premises import (
    EXAMPLE_BUNDLE,
    Premises,
    Privacy,
    engine,
    load_bundle,
    load_model,
    subject_key,
)
from ari_app.bootstrap.service import Service

__all__ = [
    "EXAMPLE_BUNDLE",
    "Premises",
    "Privacy",
    "Service",
    "engine",
    "load_bundle",
    "load_model",
    "subject_key",
]
