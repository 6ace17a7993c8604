"""The signature of a backup: with a key its manifest is signed, which has the checksum of each file.

manifest.json  ->  sign()  ->  manifest.signature, the second member of the archive  ->  check()
"""

import hashlib
from pathlib import Path

from orchestration.backup.errors import BackupError
from orchestration.configuration.secret_settings import secret_value
from resources.encryption import Cipher

NAME, MAX_SIZE = "manifest.signature", 1000
FACTS = "backup"
UNSIGNED = (
    "not signed: made before MILLPOND_ENCRYPTION_KEY was set, or changed by someone who does not have it;"
    " --unsigned restores it all the same"
)
NO_KEY = "signed, but no key is set: set MILLPOND_ENCRYPTION_KEY to the key of the home that it was made from"
CHANGED = (
    "its signature does not match: it was changed after it was made, or another MILLPOND_ENCRYPTION_KEY signed it;"
    " use another backup, or put its key behind a comma"
)
FOREIGN_FOLDER = (
    "not in this home, and a folder has no signature: anyone may have changed it; --unsigned restores it all the same"
)


def cipher() -> Cipher:
    """Return the cipher of the configured keys."""
    return Cipher(secret_value("MILLPOND_ENCRYPTION_KEY"))


def sign(manifest: bytes) -> bytes:
    """Return the signature of a manifest; blank without a key."""
    keys = cipher()
    return keys.sign(_digest(manifest), FACTS).encode() if keys.has_key else b""


def check(manifest: bytes, signature: bytes, *, allow_unsigned: bool) -> None:
    """Check the signature of a manifest.

    Args:
        manifest: The manifest as it is in the archive.
        signature: Its signature; blank: it has none.
        allow_unsigned: Whether it may have none although there is a key.

    Raises:
        BackupError: It has none, or one that does not fit.
    """
    keys = cipher()
    if not signature:
        if keys.has_key and not allow_unsigned:
            raise BackupError(UNSIGNED)
    elif not keys.has_key:
        raise BackupError(NO_KEY)
    elif not keys.is_signed(_digest(manifest), FACTS, signature.decode("ascii", "replace")):
        raise BackupError(CHANGED)


def check_folder(folder: Path, home: Path, *, allow_unsigned: bool) -> None:
    """Check a folder of files, which has no signature: one that a restore left in the home is as safe as the home.

    Raises:
        BackupError: There is a key, and the folder is from elsewhere.
    """
    if cipher().has_key and not allow_unsigned and folder.resolve().parent != home.resolve():
        raise BackupError(FOREIGN_FOLDER)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
