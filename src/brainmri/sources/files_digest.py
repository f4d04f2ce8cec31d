"""One digest for all files of a data set, so that a file lost or changed after the fetch is noticed."""

from pathlib import Path

from brainmri.digests import digest_of, file_digest
from brainmri.sources.parallel import in_parallel


def digest_of_folder(dataset: str, folder: Path, paths: list[str]) -> str:
    """Return the SHA-256 over the sorted paths of files and the SHA-256 of each.

    Parameters
    ----------
    dataset
        The data set's name, for the progress bar.
    folder
        Where the files lie.
    paths
        Their paths below it.
    """

    def digests_of(chunk: list[str]) -> list[str]:
        return [file_digest(folder / path) for path in chunk]

    digests = in_parallel(digests_of, paths, workers=0, description=f"digest {dataset}", unit="file")
    return digest_of_files(dict(zip(paths, digests, strict=True)))


def digest_of_files(files: dict[str, str]) -> str:
    """Return the SHA-256 over paths and the SHA-256 of each, in the order of the paths."""
    return digest_of(sorted(files.items()))
