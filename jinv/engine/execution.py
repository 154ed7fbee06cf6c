"""How a run is carried out."""

from dataclasses import dataclass

from jinv.checked import Checked
from jinv.engine.placement import Parallel
from jinv.values import Count, Natural

PATIENCE_INTERVAL = 25
"""Steps between the losses that a descent's patience compares.

A constant, as a phase's end must not depend on how often a run logs.
"""


@dataclass(frozen=True)
class Execution(Checked):
    """How a run is carried out; none of it changes what is computed.

    The number of devices does, where statistics are those of each device's part.

    Attributes:
        devices: Devices to spread each batch over; 0 for as many as share it evenly.
        parallel: "jit" (one sharded program) or "pmap" (a program per device).
        chunk: Steps compiled into one program, 0 for 1 on CPU and 50 elsewhere; with
            patience, as many of them as divide the 25 between two comparisons.
        log_every: Steps between rows of the log.
        frames: Pictures taken of the first batch in each phase.
        checkpoint_every: Steps between checkpoints; 0 for none but at the end of each
            batch and when the run is stopped.
    """

    devices: Natural = 0
    parallel: Parallel = "jit"
    chunk: Natural = 0
    log_every: Count = 25
    frames: Natural = 12
    checkpoint_every: Natural = 500
