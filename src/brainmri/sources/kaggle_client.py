"""One request to Kaggle through kagglehub, and what its failure means.

kagglehub unpacks what it downloads without limits and then removes the archive, so its own download
function, which resumes and checks, is called here, and nothing of it unpacks. No text of its exceptions
is passed on: it may hold signed addresses and login headers.
"""

import base64
import hashlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path

from brainmri.errors import BrainmriError

# Of the 4xx, these ask to come again.
COME_AGAIN = (408, 425, 429)
TOKEN_PAGE = "https://www.kaggle.com/settings/api"


class Fault(Exception):
    """A failure that may pass.

    Parameters
    ----------
    reason
        What went wrong, for people.
    limit
        So often in a row is enough; None for the caller's own limit.
    wait
        Seconds that the server asks to wait.
    """

    def __init__(self, reason: str, limit: int | None = None, wait: float | None = None):
        super().__init__(reason)
        self.reason, self.limit, self.wait = reason, limit, wait


class Refusal(Exception):
    """An HTTP status that will not pass by itself."""

    def __init__(self, status: int):
        super().__init__(str(status))
        self.status = status


@dataclass(frozen=True)
class Published:
    """What Kaggle says about a data set: its newest version, and its licence (None where not told)."""

    version: int
    licence: str | None


def describe(handle: str) -> Published:
    """Ask for the newest version and the licence of a data set.

    Raises
    ------
    Fault, Refusal, BrainmriError
        As `client` says.
    """
    with client() as kaggle:
        from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest

        request = ApiGetDatasetRequest()
        request.owner_slug, request.dataset_slug = handle.split("/")
        answer = kaggle.datasets.dataset_api_client.get_dataset(request)
        if answer.current_version_number < 1:
            raise ValueError("no version")
        return Published(answer.current_version_number, answer.license_name or None)


def download(handle: str, version: int, archive: Path) -> bool:
    """Download the archive of a data set, from where `archive` ends, and check it.

    Parameters
    ----------
    handle, version
        Which data set.
    archive
        Where to; a part that lies there is continued. It is removed where it cannot be right.

    Returns
    -------
    bool
        Whether the server told an MD5 and it is right.

    Raises
    ------
    Fault, Refusal, BrainmriError
        As `client` says.
    """
    with client() as kaggle:
        from kagglehub.clients import download_file
        from kagglehub.handle import DatasetHandle
        from kagglehub.integrity import get_md5_checksum_from_response
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

        resource = DatasetHandle(*handle.split("/"), version)
        request = ApiDownloadDatasetRequest()
        request.owner_slug, request.dataset_slug = resource.owner, resource.dataset
        request.dataset_version_number = version
        response = kaggle.datasets.dataset_api_client.download_dataset(request)
        md5 = get_md5_checksum_from_response(response)
        total = None
        if "Content-Encoding" not in response.headers and "Content-Length" in response.headers:
            total = int(response.headers["Content-Length"])
        remove_if_wrong(archive, total, md5)
        download_file(response, str(archive), resource)
        if total is not None and archive.stat().st_size != total:
            # The client does not look at the status of a resumed request: an error page was appended.
            archive.unlink()
            raise Fault("what came does not add up to the archive's size")
        return md5 is not None


def remove_if_wrong(archive: Path, total: int | None, md5: str | None) -> None:
    """Remove an archive that is too long, or whole and wrong: the client would keep it for good."""
    if total is None or not archive.exists():
        return
    size = archive.stat().st_size
    if size > total or (size == total and md5 is not None and md5_of(archive) != md5):
        archive.unlink()


def md5_of(path: Path) -> str:
    """Return the MD5 of a file as the storage's header writes it (base 64)."""
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False))
    return base64.b64encode(digest.digest()).decode()


@contextmanager
def client() -> Iterator:
    """Give kagglehub's client, silenced, and translate what it raises.

    Raises
    ------
    Fault
        For what may pass: no connection, a cut one, a busy server, an archive with a wrong MD5.
    Refusal
        For a status that is final.
    BrainmriError
        If the login cannot be read or sent, or the archive cannot be written.
    """
    import requests
    from kagglehub.clients import build_kaggle_client
    from kagglehub.exceptions import DataCorruptionError

    with silenced():
        try:
            # A token may be the path of a file: a long one raises an error that holds it.
            kaggle = build_kaggle_client()
            kaggle.__enter__()
        except (ValueError, OSError):
            raise BrainmriError(
                f"The Kaggle login cannot be read: make a new token at {TOKEN_PAGE}, or remove "
                "KAGGLE_API_TOKEN and ~/.kaggle; public sets need no login."
            ) from None
        try:
            yield kaggle
        except requests.HTTPError as error:
            raise meaning_of(error.response) from None
        except (requests.exceptions.InvalidHeader, UnicodeEncodeError):
            raise BrainmriError(
                f"The Kaggle login holds characters that none has: copy the token anew from {TOKEN_PAGE}."
            ) from None
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
            raise Fault("the connection was cut") from None
        except requests.Timeout:
            raise Fault("Kaggle did not answer in time") from None
        except requests.ConnectionError as error:
            raise Fault(f"there is no connection to Kaggle ({type(error).__name__})", limit=3) from None
        except DataCorruptionError:
            raise Fault("the archive arrived damaged (its MD5 is not the announced one)") from None
        except (requests.RequestException, ValueError, TypeError, KeyError, AttributeError):
            raise Fault("the answer is none of Kaggle's", limit=3) from None
        except OSError as error:
            raise BrainmriError(
                f"The archive cannot be written ({error.strerror}): free space, or set KAGGLEHUB_CACHE to a "
                "folder with room."
            ) from None
        finally:
            kaggle.__exit__(None, None, None)


def meaning_of(response) -> Fault | Refusal:
    """Return what an HTTP status means: come again, or never."""
    status = response.status_code
    if status < 400:
        # A failure may come in the body of an answer that says 200.
        status = response.json()["code"]
    if status < 500 and status not in COME_AGAIN:
        return Refusal(status)
    return Fault(
        f"Kaggle answered {status} ({words_of(status)})", wait=wait_of(response.headers.get("Retry-After"))
    )


def words_of(status: int) -> str:
    """Return the words of an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "a status without a name"


def wait_of(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or a date; None where unreadable."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def has_login() -> bool:
    """Return whether a Kaggle login is configured."""
    from kagglehub.config import get_kaggle_credentials

    return get_kaggle_credentials() is not None


@contextmanager
def silenced() -> Iterator[None]:
    """Let the client show its bar at a terminal, and nothing else: verbose, it prints login headers."""
    logger = logging.getLogger("kagglehub")
    level = logger.level
    with ExitStack() as stack:
        nowhere = stack.enter_context(Path(os.devnull).open("w"))
        stack.enter_context(redirect_stdout(nowhere))
        if not sys.stderr.isatty():
            stack.enter_context(redirect_stderr(nowhere))
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(level)
