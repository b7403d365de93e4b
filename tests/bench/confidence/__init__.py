"""How well the calibrated confidence tells what was heard right: fitted here, measured here.

`python -m tests.bench.confidence fit` writes ari_app/understanding/confidence_model.py from the
tune set; `python -m tests.bench.confidence` prints the reliability table of the figures set. The
two share no voice, no sentence, no seed and no noise; neither has a voice that the model was
trained on. Right is what a caller would call right: the answer that was given, or of a free
sentence at least four words of five.
"""
