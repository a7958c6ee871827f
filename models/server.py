"""The process that workers are forked from. This module imports nothing heavy: who will need workers starts it before own imports."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing import forkserver
from multiprocessing.context import BaseContext

# Ours, and what the server imports for each.
OURS: dict[str, list[str]] = {"numpy": [], "torch": ["torch"], "compiled": ["depthlimit.models.compiled.implementation"]}


def start_server(implementation: str) -> BaseContext:
    """The server that worker processes are forked from; it imports what they need, once, while the caller goes on planning.

    It never touches a device and starts no threads, so that forking it is safe. It and its children inherit that SIGINT is blocked: an
    interruption from the keyboard is left to the process that waits for them.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*OURS.get(implementation, ()), "depthlimit.models.verify", "depthlimit.conformance.faults"])
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # an interruption now comes when it is unblocked here
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return context
