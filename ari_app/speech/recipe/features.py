"""What the network hears: 40 mel cepstra every 10 ms, exactly as libvosk computes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ari_app.speech.recipe.line import RATE, Pcm

Features = NDArray[np.float32]  # frames x 40

CEPSTRA = 40
# conf/mfcc.conf of the model. Without dither the same audio gives the same words.
OPTIONS: Mapping[str, str] = {
    "sample-frequency": "8000",
    "num-mel-bins": "40",
    "num-ceps": "40",
    "low-freq": "60",
    "high-freq": "3800",
    "use-energy": "false",
    "dither": "0",
}


def mfcc(pcm: Pcm) -> Features:
    """The cepstra of 8 kHz audio; needs kaldi_native_fbank."""
    import kaldi_native_fbank

    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.samp_freq = RATE
    options.frame_opts.dither = float(OPTIONS["dither"])
    options.mel_opts.num_bins = int(OPTIONS["num-mel-bins"])
    options.mel_opts.low_freq = float(OPTIONS["low-freq"])
    options.mel_opts.high_freq = float(OPTIONS["high-freq"])
    options.num_ceps = CEPSTRA
    options.use_energy = False
    computer = kaldi_native_fbank.OnlineMfcc(options)
    computer.accept_waveform(RATE, pcm.astype(np.float32).tolist())
    computer.input_finished()
    frames = computer.num_frames_ready
    if not frames:
        return np.zeros((0, CEPSTRA), np.float32)
    return np.stack([computer.get_frame(i) for i in range(frames)])
