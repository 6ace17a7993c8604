"""TLS certificates of a sandbox folder, for clients that insist on https.

tls_files(folder)  ->  ca.pem (for the client), server.pem and server-key.pem (for the server)

The authority's private key is never stored, so it can sign nothing else and trusting ca.pem is harmless.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from filelock import FileLock

from resources.atomic_file import write_atomically

DOMAINS = ("suitetalk.api.netsuite.com", "restlets.api.netsuite.com", "app.netsuitesuiteprojectspro.com")
NAMES = ("localhost", "127.0.0.1", *(f"*.{domain}" for domain in DOMAINS))
VALID_FOR = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True)
class TlsFiles:
    """The certificates and keys of one sandbox folder."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The authority's certificate, which clients must trust."""
        return self.folder / "ca.pem"

    @property
    def certificate(self) -> Path:
        """The server's certificate."""
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        """The server's private key."""
        return self.folder / "server-key.pem"


def tls_files(folder: Path) -> TlsFiles:
    """Return the certificates of a sandbox folder; create them if missing or about to expire."""
    files = TlsFiles(folder / "tls")
    files.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(files.folder / "lock"):
        if not _is_valid(files.certificate):
            _create(files)
    return files


def _is_valid(certificate: Path) -> bool:
    if not certificate.exists():
        return False
    expires = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    # the machine's clock, not the sandbox's: TLS libraries compare with the machine's
    return datetime.now(UTC) + RENEW_BEFORE < expires


def _create(files: TlsFiles) -> None:
    authority = trustme.CA(organization_name="Millpond sandbox")
    server = authority.issue_cert(*NAMES, common_name="Millpond sandbox", not_after=datetime.now(UTC) + VALID_FOR)
    chain = b"".join(blob.bytes() for blob in server.cert_chain_pems)
    for path, pem in (
        (files.ca, authority.cert_pem.bytes()),
        (files.key, server.private_key_pem.bytes()),
        (files.certificate, chain),  # last: `_is_valid` looks at this file
    ):
        write_atomically(path, pem.decode(), mode=0o600, durable=False)
