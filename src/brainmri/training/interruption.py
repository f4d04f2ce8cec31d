"""A polite end: on SIGTERM the training stops after the step at hand, its state kept."""

import signal
import threading
from types import TracebackType

from brainmri.errors import BrainmriError

# EX_TEMPFAIL of sysexits.h: a temporary failure, the user is invited to try again.
INTERRUPTED = 75


class Interrupted(BrainmriError):
    """The training was asked to stop and can go on later; the process ends with status 75."""

    exit_status = INTERRUPTED


class AtOnce(BaseException):
    """Ends the work at hand. No `Exception`: nobody may take it for a damaged file or a failed compiler."""


class Interruption:
    """Notices SIGTERM, which a cluster sends before it takes a node away; to be used in `with`.

    Attributes
    ----------
    requested
        Whether the signal came.
    awaited
        Whether somebody looks at `requested` after every step. Before that, while the arithmetic is chosen,
        features are made and a head is probed, nothing is kept, and the signal ends the training at once.
    """

    def __init__(self):
        self.requested = False
        self.awaited = False
        self.before = None

    def __enter__(self) -> "Interruption":
        # Python delivers signals to the main thread alone, and lets no other one ask for them.
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGTERM, self.notice)
        return self

    def notice(self, *_) -> None:
        """Remember that the signal came.

        Raises
        ------
        AtOnce
            While nobody waits for it; what the `with` block raises then is `Interrupted`.
        """
        self.requested = True
        if not self.awaited:
            raise AtOnce

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.before is not None:
            signal.signal(signal.SIGTERM, self.before)
        if kind is AtOnce:
            raise Interrupted(
                "stopped before the next step, as asked (SIGTERM): the same command goes on."
            ) from None
