"""The one tree of errors that a user can cause or cure.

Library code raises these and never prints or exits. Each class carries the exit code of the command line. A message
names the thing, the finding and the cure.
"""


class UncialError(Exception):
    """Base of all errors a user can cause or cure; the command line shows only the message."""

    exit_code = 1


class ConfigError(UncialError):
    """A setting that does not exist or is out of range."""

    exit_code = 2


class ImageError(UncialError):
    """An image that is missing, unreadable, truncated, empty or too large."""

    exit_code = 4


class GroundTruthError(UncialError):
    """Ground truth, or a page file, that is missing, has no counterpart, or cannot be read."""

    exit_code = 5


class AlphabetError(UncialError):
    """A grapheme that the alphabet does not hold, or an alphabet that contradicts itself."""

    exit_code = 5


class BundleError(UncialError):
    """A bundle that is missing, damaged, or of a version that this Uncial does not know."""

    exit_code = 6


class MissingExtraError(UncialError):
    """An optional package is not installed; the message holds the install line that cures it."""

    exit_code = 7

    def __init__(self, finding: str, extra: str) -> None:
        """Say what is missing and how it is got.

        Args:
            finding: what needs which package.
            extra: its name in pyproject.toml.
        """
        super().__init__(f'{finding}; install it in Uncial\'s folder with: pip install -c constraints.txt ".[{extra}]"')


class StorageError(UncialError):
    """A file could not be written: full disk, no permission, or something is already there."""

    exit_code = 8


class TrainingError(UncialError):
    """Training cannot begin or cannot go on."""

    exit_code = 9
