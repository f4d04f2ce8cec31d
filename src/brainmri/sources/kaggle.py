"""Data sets from Kaggle: downloaded with patience, checked, and kept in kagglehub's cache.

What kagglehub leaves undone is done here: coming again after 429 and 5xx, starting over where the archive
is spoilt, a time-out, and sentences that say what to do.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from brainmri.errors import BrainmriError
from brainmri.sources.kaggle_cache import CachedArchive, cached_archive
from brainmri.sources.kaggle_client import TOKEN_PAGE, Fault, Refusal, describe, download, has_login
from brainmri.sources.stall import Stalled, size_of, stall_watch

ADDRESS = "https://www.kaggle.com/datasets"
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Patience:
    """How long to go on.

    Parameters
    ----------
    attempts
        Attempts in a row that bring nothing new; one that brings the archive further starts the count anew.
    stall_seconds
        An attempt is broken off when nothing has come for so long. The client writes by the MiB: half a
        minute of a slow line (35 kB/s) is one step.
    first_wait, longest_wait
        Seconds between two attempts: doubled from the first on, up to the longest.
    longest_request
        What a server asks for in Retry-After is waited in full up to so many seconds.
    """

    attempts: int = 6
    stall_seconds: float = 60.0
    first_wait: float = 1.0
    longest_wait: float = 30.0
    longest_request: float = 300.0

    def __post_init__(self):
        if self.attempts < 1:
            raise BrainmriError(f"attempts is {self.attempts}: must be 1 or more.")
        if not self.stall_seconds > 0:
            raise BrainmriError(f"stall_seconds is {self.stall_seconds}: must be above 0.")


@dataclass(frozen=True)
class KaggleSet:
    """A data set on Kaggle, and where its zip goes if a person downloads it.

    Parameters
    ----------
    handle
        ``owner/name``.
    version
        None for the newest.
    by_hand
        The zip's place, ``{archives_dir}/{owner}/{name}.zip``.
    """

    handle: str
    version: int | None
    by_hand: Path

    def __str__(self) -> str:
        return f"the Kaggle set {self.handle}" + (f" (version {self.version})" if self.version else "")

    def error(self, what: str) -> BrainmriError:
        """Return an error that ends with the way out: a download by hand."""
        version = f" (version {self.version})" if self.version else ""
        return BrainmriError(
            f"{what} Or download its zip{version} by hand from {ADDRESS}/{self.handle} and put it at "
            f"{self.by_hand}."
        )


def from_kaggle(wanted: KaggleSet, use: Callable[[Path], None], patience: Patience = Patience()) -> dict:
    """Download the archive of a Kaggle set, unless it is in the cache, and use it.

    Parameters
    ----------
    wanted
        Which data set.
    use
        Called with the archive's path, to unpack it; called again if the archive proves damaged. It
        raises BrainmriError for a bad archive.
    patience
        How long to go on.

    Returns
    -------
    dict
        ``handle``, ``version``, ``bytes``, ``sha256`` and ``licence`` (null where Kaggle does not tell).

    Raises
    ------
    BrainmriError
        If it cannot be had: with what to do.
    """
    version, licence = wanted.version, None
    if version is None:
        published = insist(lambda: describe(wanted.handle), wanted, patience)
        version, licence = published.version, published.licence
    with cached_archive(wanted.handle, version) as archive:
        if record := archive.verified():
            use(archive.path)
            return record
        if archive.record.exists():
            print(f"{archive.path} is not what was downloaded: it is downloaded anew.", file=sys.stderr)
            archive.discard()
        get_and_use(archive, wanted, use, patience)
        return archive.keep(licence or licence_of(wanted.handle, patience))


def get_and_use(
    archive: CachedArchive, wanted: KaggleSet, use: Callable[[Path], None], patience: Patience
) -> None:
    """Download an archive and use it; start over, once, if it proves damaged and no MD5 spoke for it."""
    print(f"download {wanted} to {archive.path}", file=sys.stderr)
    for last in (False, True):
        proven = insist(
            lambda: download(archive.handle, archive.version, archive.path), wanted, patience, archive.path
        )
        try:
            use(archive.path)
        except BrainmriError as error:
            if proven:
                raise
            # Left there, the client would take it for a finished download for ever.
            archive.discard()
            if last:
                raise wanted.error(f"What Kaggle serves for {wanted} is no good archive: {error}") from None
            print(f"{error} It is downloaded anew.", file=sys.stderr)
        else:
            return


def insist(
    request: Callable[[], Answer], wanted: KaggleSet, patience: Patience, archive: Path | None = None
) -> Answer:
    """Make a request again and again until it answers, is refused, or brings nothing new too often."""
    failures, furthest = 0, size_of(archive)
    while True:
        try:
            with stall_watch(archive, patience.stall_seconds):
                return request()
        except Refusal as refusal:
            raise wanted.error(sentence_on(refusal.status, wanted)) from None
        except Stalled:
            fault = Fault(f"nothing came for {patience.stall_seconds:g} seconds", limit=2)
        except Fault as caught:
            fault = caught
        if size_of(archive) > furthest:
            failures, furthest = 0, size_of(archive)
        failures += 1
        if failures >= min(fault.limit or patience.attempts, patience.attempts):
            raise wanted.error(f"{capital(wanted)} could not be downloaded: {fault.reason}. Run again later.")
        if (fault.wait or 0) > patience.longest_request:
            raise wanted.error(
                f"{capital(wanted)} could not be downloaded: {fault.reason}, and it asks to wait "
                f"{fault.wait:.0f} seconds. Run again then."
            )
        wait = min(patience.longest_wait, patience.first_wait * 2 ** (failures - 1))
        wait = max(wait, fault.wait or 0)
        print(f"{wanted.handle}: {fault.reason}; again in {wait:.0f} s", file=sys.stderr, flush=True)
        time.sleep(wait)


def sentence_on(status: int, wanted: KaggleSet) -> str:
    """Return what a final HTTP status means for this set, and what to do."""
    token = f"make a token at {TOKEN_PAGE} and set KAGGLE_API_TOKEN to it"
    if status == 401 and has_login():
        return (
            f"Kaggle does not accept the login for {wanted} (401): {token}, or remove the login "
            "(KAGGLE_API_TOKEN, KAGGLE_USERNAME, KAGGLE_KEY, ~/.kaggle); public sets need none."
        )
    if status == 401:
        return f"Kaggle wants a login for {wanted} (401): {token}."
    if status == 403:
        login = "check that the account of your login may see it" if has_login() else token
        return (
            f"Kaggle does not give {wanted} to you (403): open {ADDRESS}/{wanted.handle}, check the handle, "
            f"accept the set's rules if it asks to, and {login}."
        )
    if status == 404:
        return (
            f"Kaggle knows no such set or version (404), {wanted}: check source.kaggle and source.version "
            f"against {ADDRESS}/{wanted.handle}."
        )
    return f"Kaggle refuses {wanted} (status {status}): check source.kaggle and source.version."


def licence_of(handle: str, patience: Patience) -> str | None:
    """Return the licence's name as Kaggle gives it, or None: it is no reason to fail."""
    try:
        with stall_watch(None, min(15.0, patience.stall_seconds)):
            return describe(handle).licence
    except (Fault, Refusal, BrainmriError, Stalled):
        return None


def capital(wanted: KaggleSet) -> str:
    """Return the set's words for the beginning of a sentence."""
    words = str(wanted)
    return words[0].upper() + words[1:]
