"""How long a process of the service lives: no longer than the one that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time


def leave_with_parent(grace: float) -> None:
    """End this process where its parent was killed: else it would hold port and store with nobody to stop it.

    grace: seconds from SIGTERM to SIGKILL, in which it may finish what it does.
    """
    parent, number = multiprocessing.parent_process(), os.getppid()

    def watch() -> None:
        if parent is not None:
            parent.join()  # a pipe that the parent's end closes, however it ends
        while os.getppid() == number:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent", daemon=True).start()
