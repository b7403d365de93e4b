"""Contestants as programs: PORT N WINDOW in, one line of JSON out (rate, cpu, p50, p99)."""
