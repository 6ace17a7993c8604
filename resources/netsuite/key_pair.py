"""Make the key pair of a machine-to-machine sign-in: a private key, and its certificate to upload in NetSuite.

new_key_pair(now)  ->  KeyPair  ->  save  ->  the key file (private, with the certificate), and the certificate alone

Source: NetSuite help, "Certificate Conditions" (subsect_162755332391): X.509 in a .pem, .cer or .crt file, RSA of 3072
or 4096 bits or EC, valid for two years at most. The key file has the certificate as well, so that `millpond doctor`
and a rejected sign-in know when it ends.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from resources.atomic_file import write_atomically

BITS = 4096
VALID = timedelta(days=730)
CERTIFICATE_SUFFIX = ".certificate.pem"


@dataclass(frozen=True)
class KeyPair:
    """A private key and its certificate, both as PEM."""

    private_key: str
    certificate: str
    expires_at: datetime


def new_key_pair(now: datetime) -> KeyPair:
    """Return a new RSA key with a self-signed certificate that is valid for two years from `now`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "millpond")])
    end = now + VALID
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # NetSuite's clock may be behind
        .not_valid_after(end - timedelta(minutes=5))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return KeyPair(private, certificate.public_bytes(Encoding.PEM).decode(), certificate.not_valid_after_utc)


def certificate_file(key_file: Path) -> Path:
    """Return the file beside a key file that is uploaded in NetSuite."""
    return key_file.with_name(key_file.stem + CERTIFICATE_SUFFIX)


def save(pair: KeyPair, key_file: Path) -> Path:
    """Write both files, readable by their owner only, and return that of the certificate.

    Raises:
        FileExistsError: One of them exists; a key that is in use is never replaced.
        OSError: One cannot be written.
    """
    certificate = certificate_file(key_file)
    for path in (key_file, certificate):
        if path.exists():
            raise FileExistsError(path)
    write_atomically(certificate, pair.certificate, mode=0o600)
    write_atomically(key_file, pair.private_key + pair.certificate, mode=0o600)
    return certificate
