"""A process that does tasks: one JSON line comes in for each task, and one goes out for its result.

If standard input ends, the process that started this one wants no more, or was killed. Then the task that runs is
interrupted as by Ctrl-C, so that its run can be resumed.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from marsseg_core.plugin_api import Task


def main() -> None:
    """Do tasks until standard input ends."""
    # What the tasks print must not stand between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    lines: SimpleQueue[str | None] = SimpleQueue()
    # No daemon: while Python ends, a daemon that still runs can block it.
    reader = threading.Thread(target=_read, args=(lines,))
    reader.start()
    with suppress(KeyboardInterrupt, BrokenPipeError):  # stopped between two tasks, or nobody reads the answer
        while (line := lines.get()) is not None:
            print(json.dumps(Task(**json.loads(line)).answer()), file=answers, flush=True)
        reader.join()


def _read(lines: SimpleQueue[Any]) -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put(None)
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # ends a wait of the system, too
    else:
        _thread.interrupt_main()


if __name__ == "__main__":
    main()
