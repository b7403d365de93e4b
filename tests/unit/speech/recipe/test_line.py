"""The telephone line of the recipe: what goes in comes out as long, and as loud as asked."""

import numpy as np
import pytest

from ari_app.cli.recipe import ServiceTelephony
from ari_app.speech.recipe.line import (
    PACKET,
    Line,
    lost_packets,
    noise,
    over,
    rms,
    to_line_rate,
    tone,
)

TELEPHONY = ServiceTelephony()


def speech(seconds: float = 1.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    t = np.arange(int(8000 * seconds)) / 8000
    return 3000 * np.sin(2 * np.pi * 200 * t) * (1 + 0.3 * np.sin(2 * np.pi * 3 * t))


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_same_seed_is_the_same_line() -> None:
    line = Line.drawn(generator())
    assert Line.drawn(generator()) == line
    one, two = (over(line, generator(3), speech(), TELEPHONY) for _ in range(2))
    assert np.array_equal(one, two)


def test_every_kind_of_line_is_drawn() -> None:
    rng = generator()
    lines = [Line.drawn(rng) for _ in range(400)]
    assert {line.law for line in lines} == {"", "mu-law", "A-law"}
    assert {line.noise for line in lines} >= {"babble", "white", "pink", "brown", "hum"}
    assert 0.15 < np.mean([line.loss > 0 for line in lines]) < 0.35
    assert max(line.loss for line in lines) < 0.06


@pytest.mark.parametrize(
    "line",
    [
        Line(),
        Line(law="mu-law"),
        Line(law="A-law", loss=0.05),
        Line(snr=10, noise="hum", band=True, reverb=True),
        Line(snr=10, noise="babble"),
    ],
)
def test_what_comes_out_is_as_long_as_what_went_in(line: Line) -> None:
    assert len(over(line, generator(), speech(), TELEPHONY)) == 8000
    assert len(over(line, generator(), np.zeros(0), TELEPHONY)) == 0


def test_the_level_is_the_one_asked_for() -> None:
    heard = over(Line(level=-26), generator(), speech(), TELEPHONY)
    assert 20 * np.log10(rms(heard.astype(float)) / 32768) == pytest.approx(-26, abs=0.5)


def test_the_noise_is_as_far_below_the_voice_as_asked() -> None:
    clean = over(Line(level=-26), generator(), speech(), TELEPHONY).astype(float)
    noisy = over(Line(level=-26, snr=10), generator(), speech(), TELEPHONY).astype(float)
    assert 20 * np.log10(rms(clean) / rms(noisy - clean)) == pytest.approx(10, abs=0.5)


def test_each_law_leaves_its_own_mark() -> None:
    pcm = over(Line(), generator(), speech(), TELEPHONY)
    mu, a = (TELEPHONY.through(law, pcm) for law in ("mu-law", "A-law"))
    assert not np.array_equal(mu, a)
    assert not np.array_equal(mu, pcm)
    for heard in (mu, a):
        assert rms((heard - pcm).astype(float)) < 0.02 * rms(pcm.astype(float))


def test_a_lost_packet_is_filled_and_the_others_stay() -> None:
    pcm = over(Line(), generator(), speech(), TELEPHONY)
    heard = TELEPHONY.concealed(pcm, frozenset({20}))
    at = 20 * PACKET
    assert np.array_equal(heard[:at], pcm[:at])
    assert rms(heard[at : at + PACKET].astype(float)) > 0.3 * rms(pcm.astype(float))
    assert not np.array_equal(heard[at : at + PACKET], pcm[at : at + PACKET])
    assert np.array_equal(heard[at + 2 * PACKET :], pcm[at + 2 * PACKET :])


@pytest.mark.parametrize("share", [0.01, 0.02, 0.06])
def test_about_as_many_packets_are_lost_as_asked(share: float) -> None:
    lost = lost_packets(generator(), 50_000, share)
    assert len(lost) / 50_000 == pytest.approx(share, rel=0.15)
    assert max(lost) < 50_000


def test_none_is_lost_without_a_share() -> None:
    assert not lost_packets(generator(), 1000, 0.0)


def test_there_is_no_noise_of_another_kind() -> None:
    with pytest.raises(ValueError, match="blue"):
        noise(generator(), 10, "blue")


def test_tones_are_of_every_kind_and_not_silent() -> None:
    assert all(rms(tone(generator(seed), 8000)) > 0.3 for seed in range(20))


def test_the_rate_of_the_line_is_a_good_third_of_the_voice_s() -> None:
    wave, stretch = to_line_rate(np.zeros(22050, np.int16))
    assert (len(wave), stretch) == (8000, 1.0)
    longer, stretch = to_line_rate(np.zeros(22050, np.int16), 1.1)
    assert stretch == pytest.approx(1.1)
    assert len(longer) == pytest.approx(8000 / 1.1, abs=1)
