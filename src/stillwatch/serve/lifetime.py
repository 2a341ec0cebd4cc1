"""How long a process of the service lives: no longer than the one that started it."""

from __future__ import annotations

import os
import signal
import threading
import time


def leave_with_parent() -> None:
    """End this process where its parent was killed: else it would hold port and store with nobody to stop it."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
