"""Frames out of payloads."""

from __future__ import annotations

from ari_app.media import formats
from ari_app.media.hearing import Hearing


def test_frames_are_joined_over_the_borders_of_packets() -> None:
    hearing = Hearing(formats.named("ulaw"))
    assert hearing.packet(1, 0, bytes(100), 0.0) == []
    [frame] = hearing.packet(2, 100, bytes(100), 0.0125)
    assert len(frame) == 320
    assert hearing.ptime == 0.0125


def test_a_source_that_ends_gives_up_what_was_held() -> None:
    hearing = Hearing(formats.named("ulaw"))
    hearing.packet(1, 160, bytes(160), 0.0)
    assert hearing.packet(3, 480, bytes(160), 0.04) == []
    assert len(hearing.restart()) == 2
    assert len(hearing.packet(900, 7, bytes(160), 0.06)) == 1
    assert hearing.figures()["lost"] == 1


def test_the_figures_of_a_line_that_heard_nothing_are_zero() -> None:
    assert set(Hearing(formats.named("slin16")).figures().values()) == {0}
