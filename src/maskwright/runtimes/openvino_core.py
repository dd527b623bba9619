"""The core of OpenVINO: one for the whole process, and never freed."""

import threading
from functools import cache
from typing import Any

from maskwright.runtimes.packages import demand

_making = threading.Lock()


def openvino_core(what: str) -> Any:
    """The `openvino.Core` that all of this process share; several threads may compile with it at once.

    A core's CPU plugin gives the thread that loads it a stack of its own for signals, and takes it away when it is
    freed. Freed in another order than made, or by another thread, the cores leave a thread with a stack that is no
    longer there, and the next signal that has a handler (Ctrl-C, a loading process that ends) kills the process: see
    EXPERIMENTS.

    Raises:
        SettingError: openvino is not installed; `what` begins the sentence that says why it is needed.
    """
    ov = demand("openvino", "openvino", what)
    with _making:
        return _core(ov)


@cache
def _core(ov: Any) -> Any:
    return ov.Core()
