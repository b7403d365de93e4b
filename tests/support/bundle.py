"""The example bundle, and what is trained from it, once for each worker."""

from __future__ import annotations

import functools
from pathlib import Path

import ari_app
from ari_app.policy.bundle import Bundle, read_bundle
from ari_app.understanding.intents import Intents


@functools.cache
def demo_text() -> str:
    folder = Path(ari_app.__file__).parent / "policy" / "bundles"
    return (folder / "harbour-clinic.yaml").read_text(encoding="utf-8")


@functools.cache
def demo_bundle() -> Bundle:
    return read_bundle(demo_text())


@functools.cache
def demo_intents() -> Intents:
    return Intents(demo_bundle().intents)


@functools.cache
def demo_in_two_languages() -> Bundle:
    """The example bundle with its Spanish words."""
    folder = Path(ari_app.__file__).parent / "policy" / "bundles"
    spanish = (folder / "harbour-clinic_es.yaml").read_text(encoding="utf-8")
    return read_bundle(demo_text(), translations=[spanish])
