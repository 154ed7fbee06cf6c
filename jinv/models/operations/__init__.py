"""Operations of architectures: layers, pooling, taps, and forms that CPUs run fast.

Each form equals the plain one to rounding; only the order of summation differs. On
other platforms than XLA's CPU backend the plain ones are used. `scripts/benchmark.py`
prints what they gain.
"""
