"""Benchmarks against programs that others wrote; every contestant runs in a process of its own."""
