"""x"""


def run_call(calls, out): ...
