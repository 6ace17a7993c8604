"""Generated credentials of one sandbox folder, for clients and for the simulated systems."""

import json
import secrets
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from filelock import FileLock

from resources.atomic_file import write_atomically

Credentials = dict[str, dict[str, Any]]

FILE = "credentials.json"
PRIVATE_KEY_FILE = "netsuite_private_key.pem"


def folder_credentials(folder: Path) -> Credentials:
    """Return the folder's credentials as `{system: {name: value}}`; create them on first use."""
    path = folder / FILE
    with FileLock(folder / f"{FILE}.lock"):
        if not path.exists():
            write_atomically(path, json.dumps(_new_credentials(folder), indent=1), mode=0o600, durable=False)
    credentials: Credentials = json.loads(path.read_text())
    return credentials


def _new_credentials(folder: Path) -> Credentials:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    key_file = folder / PRIVATE_KEY_FILE
    write_atomically(key_file, private.decode(), mode=0o600, durable=False)
    return {
        "netsuite": {
            "account": "1234567_SB1",
            "consumer_key": secrets.token_hex(32),
            "consumer_secret": secrets.token_hex(32),
            "token_id": secrets.token_hex(32),
            "token_secret": secrets.token_hex(32),
            "client_id": secrets.token_hex(32),
            "certificate_id": secrets.token_urlsafe(32),
            "private_key_file": str(key_file),
            "public_key": public.decode(),
        },
        "suiteprojects": {
            "company": "millpond",
            "user": "integration",
            "password": secrets.token_urlsafe(18),
            "namespace": "default",
            "key": secrets.token_hex(10).upper(),
            "access_token": secrets.token_urlsafe(32),
            "refresh_token": secrets.token_urlsafe(32),
            "client_id": secrets.token_hex(16),
            "client_secret": secrets.token_hex(32),
        },
        "precoro": {
            "token": secrets.token_hex(24),
            "email": "integration@example.com",
            "item_custom_field_id": 5144,
        },
    }
