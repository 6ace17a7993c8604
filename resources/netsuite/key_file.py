"""Check the file with the certificate's private key: readable, private, of a supported kind, not expired.

Source: NetSuite help, "OAuth 2.0 Client Credentials Flow" (section_162755359851): RSA of 3072 or 4096 bits or EC on
P-256, P-384 or P-521; a certificate is valid for two years at most. If the certificate is in the same file, its
expiry and its key are checked as well.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from resources.diagnostics import Finding, check_privacy

SYSTEM = "netsuite"
RSA_BITS = frozenset({3072, 4096})
CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
EXPIRES_SOON = timedelta(days=30)
NEW_KEY_PAIR = (
    "create a new key and certificate, upload the certificate in NetSuite under Setup > Integration > OAuth 2.0 Client"
    " Credentials (M2M) Setup, and set NETSUITE_CERTIFICATE_ID and NETSUITE_PRIVATE_KEY_FILE"
)
_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def check_key_file(path: Path, now: datetime) -> Iterator[Finding]:
    """Yield findings on the key, and on the certificate if the file contains it; `now` is aware."""
    try:
        content = path.read_bytes()
        yield from check_privacy(SYSTEM, "key file", path)
    except OSError as error:
        fix = "set NETSUITE_PRIVATE_KEY_FILE to the PEM file of the private key, readable for this user"
        yield Finding(SYSTEM, "key file", f"it cannot be read ({error.strerror})", fix)
        return
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError):
        fix = "set NETSUITE_PRIVATE_KEY_FILE to a PEM file with a private key without a passphrase"
        yield Finding(SYSTEM, "key file", "it contains no readable key", fix)
        return
    kind, is_supported = _kind_of(key)
    yield Finding(SYSTEM, "key file", kind, "" if is_supported else f"NetSuite does not accept it: {NEW_KEY_PAIR}")
    if b"BEGIN CERTIFICATE" in content and isinstance(key, _Key):
        yield _check_certificate(content, key, now)


def _kind_of(key: object) -> tuple[str, bool]:
    if isinstance(key, rsa.RSAPrivateKey):
        return f"RSA of {key.key_size} bits", key.key_size in RSA_BITS
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"EC on {key.curve.name}", key.curve.name in CURVES
    return "neither RSA nor EC", False


def _check_certificate(content: bytes, key: _Key, now: datetime) -> Finding:
    try:
        certificate = x509.load_pem_x509_certificate(content)
    except ValueError:
        return Finding(SYSTEM, "certificate", "it cannot be read", NEW_KEY_PAIR)
    ours, its = (
        each.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for each in (key.public_key(), certificate.public_key())
    )
    if ours != its:
        return Finding(SYSTEM, "certificate", "it belongs to another key", NEW_KEY_PAIR)
    end = certificate.not_valid_after_utc
    found = f"valid until {end:%Y-%m-%d}"
    return Finding(SYSTEM, "certificate", found, "" if end - now > EXPIRES_SOON else NEW_KEY_PAIR)
