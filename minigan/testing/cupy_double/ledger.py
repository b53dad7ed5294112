"""What the double writes down: launches, synchronisations, copies, and the capturing mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class CaptureError(RuntimeError):
    """Something in a capturing block cannot be part of a CUDA graph."""


class Ledger:
    """Counts of what a GPU would have done, and a mode in which waiting is an error.

    `launches`: calls that start at least one kernel (views start none). CuPy may need several
    kernels where the double counts one (`var`, `tensordot`): a lower bound that shows regressions.
    `synchronisations`: times the host waited for the device (`float(x)`, `.get()`, masks ...).
    `copies_to_device`: host arrays sent to the device.
    `journal`: the name of each synchronisation and copy, in order, to find the culprit.
    """

    def __init__(self) -> None:
        self._capturing = False
        self.reset()

    def reset(self) -> None:
        """Set all counts to zero and empty the journal."""
        self.launches = 0
        self.synchronisations = 0
        self.copies_to_device = 0
        self.journal: list[str] = []

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Raise `CaptureError` on any wait or copy between host and device, as graph capture does.

        Linear algebra that CuPy hands to cuSOLVER is refused too: CuPy cannot capture it.
        """
        former, self._capturing = self._capturing, True
        try:
            yield
        finally:
            self._capturing = former

    def launch(self) -> None:
        """Count one kernel launch."""
        self.launches += 1

    def synchronise(self, operation: str) -> None:
        """Count one wait of the host for the device; raise `CaptureError` while capturing."""
        self.refuse_capture(operation, "makes the host wait for the device")
        self.synchronisations += 1
        self.journal.append(operation)

    def copy_to_device(self, operation: str) -> None:
        """Count one copy of a host array to the device; raise `CaptureError` while capturing."""
        self.refuse_capture(operation, "copies a host array to the device")
        self.copies_to_device += 1
        self.journal.append(operation)

    def refuse_capture(self, operation: str, reason: str) -> None:
        """Raise `CaptureError` if `operation` stands in a capturing block."""
        if self._capturing:
            raise CaptureError(
                f"{operation} {reason}, which a CUDA graph cannot record: keep the value on the "
                "device, or do this outside the capture"
            )
