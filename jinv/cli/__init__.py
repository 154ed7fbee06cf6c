"""The command line: one sub-command per file."""

import os

# XLA reports at error level that programs from its cache name CPU features, such as
# "prefer-no-gather", that no CPU has. Set before jax is imported; a user's own setting
# is respected.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
