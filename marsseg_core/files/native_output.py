"""Hide what the C++ code of libraries prints about itself."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def native_output_hidden() -> Iterator[None]:
    """Hide what is written to descriptor 2 while the block runs.

    If the block raises an exception, it is shown then; not if it is interrupted.
    """
    sys.stderr.flush()
    with ExitStack() as stack:
        try:
            hidden = stack.enter_context(tempfile.TemporaryFile())
        except OSError:  # no folder for temporary files can be written: nothing is hidden
            yield
            return
        original = os.dup(2)
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException:
            hidden.seek(0)
            stack.callback(sys.stderr.write, hidden.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
