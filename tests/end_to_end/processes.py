"""The processes of the stack that all tests share."""

import psutil


def compute_workers() -> list[psutil.Process]:
    """Return the worker processes of the stack's compute service: the children of its fork server."""
    (compute,) = (
        child for child in psutil.Process().children() if child.cmdline()[-2:] == ["serve", "compute"]
    )
    return [worker for server in compute.children() for worker in server.children()]
