"""G.711 against a sample-by-sample reading of the recommendation's own reference code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.media import g711
from ari_app.media.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
EVERY_OCTET = bytes(range(256))


def g191_ulaw_compress(linear: int) -> int:
    absolute = min(((~linear if linear < 0 else linear) >> 2) + 33, 0x1FFF)
    segment, rest = 1, absolute >> 6
    while rest:
        segment += 1
        rest >>= 1
    octet = (8 - segment) << 4 | 0xF - (absolute >> segment & 0xF)
    return octet if linear < 0 else octet | 0x80


def g191_ulaw_expand(octet: int) -> int:
    mantissa = ~octet
    exponent = mantissa >> 4 & 7
    mantissa &= 0xF
    step = 4 << (exponent + 1)
    linear = (0x80 << exponent) + step * mantissa + step // 2 - 4 * 33
    return -linear if octet < 0x80 else linear


def g191_alaw_compress(linear: int) -> int:
    octet = (~linear if linear < 0 else linear) >> 4
    if octet > 15:
        exponent = 1
        while octet > 16 + 15:
            octet >>= 1
            exponent += 1
        octet = octet - 16 + (exponent << 4)
    return (octet if linear < 0 else octet | 0x80) ^ 0x55


def g191_alaw_expand(octet: int) -> int:
    code = (octet ^ 0x55) & 0x7F
    exponent, mantissa = code >> 4, code & 0xF
    if exponent > 0:
        mantissa += 16
    linear = (mantissa << 4) + 8
    if exponent > 1:
        linear <<= exponent - 1
    return linear if octet > 127 else -linear


def test_every_sample_becomes_the_octet_of_the_reference() -> None:
    samples = EVERY_SAMPLE.tolist()
    assert ulaw_encode(EVERY_SAMPLE) == bytes(map(g191_ulaw_compress, samples))
    assert alaw_encode(EVERY_SAMPLE) == bytes(map(g191_alaw_compress, samples))


def test_every_octet_becomes_the_sample_of_the_reference() -> None:
    assert ulaw_decode(EVERY_OCTET).tolist() == [g191_ulaw_expand(o) for o in EVERY_OCTET]
    assert alaw_decode(EVERY_OCTET).tolist() == [g191_alaw_expand(o) for o in EVERY_OCTET]


def test_an_octet_survives_decoding_and_encoding_except_negative_zero() -> None:
    assert ulaw_encode(ulaw_decode(EVERY_OCTET)) == EVERY_OCTET.replace(b"\x7f", b"\xff")
    assert alaw_encode(alaw_decode(EVERY_OCTET)) == EVERY_OCTET


@given(st.integers(-32635, 32635))
def test_a_sample_comes_back_within_half_a_quantisation_step(sample: int) -> None:
    given_sample = np.array([sample], np.int16)
    step = max(8, (abs(sample) + 132) >> 4)  # the segment's step is at most 1/16 of its start
    assert abs(int(ulaw_decode(ulaw_encode(given_sample))[0]) - sample) <= step / 2 + 4
    step = max(16, abs(sample) >> 4)
    assert abs(int(alaw_decode(alaw_encode(given_sample))[0]) - sample) <= step / 2 + 8


def test_silence_is_silent() -> None:
    assert ulaw_decode(g711.SILENCE).tolist() == [0]


def test_samples_of_another_width_are_refused_instead_of_wrapped() -> None:
    with pytest.raises(TypeError, match="int16, not int32"):
        ulaw_encode(np.array([70000], np.int32))


def test_every_second_sample_of_a_stereo_array_is_read_as_it_is() -> None:
    stereo = np.array([[100, -7], [200, -7], [300, -7]], np.int16)
    assert ulaw_encode(stereo[:, 0]) == ulaw_encode(np.array([100, 200, 300], np.int16))
