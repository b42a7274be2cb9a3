"""Time a call, and find the peak memory of this process."""

import time


def timed(function, batches):
    """Return the processor and wall time of a call in milliseconds per batch."""
    processor, wall = time.process_time(), time.perf_counter()
    function()
    return 1000 * (time.process_time() - processor) / batches, 1000 * (time.perf_counter() - wall) / batches


def peak():
    """Return the peak memory of this process in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
