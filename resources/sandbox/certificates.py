"""A certificate authority of the sandbox's own, so that clients which insist on TLS can be pointed at it.

tls_files(folder)  ->  ca.pem (for the client), server.pem and server-key.pem (for the server), ca-key.pem

The authority can vouch for nothing but the names below (X.509 name constraints), so trusting it is harmless.
"""

import ipaddress
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ipaddress.IPv4Address("127.0.0.1")
DOMAINS = ("suitetalk.api.netsuite.com", "restlets.api.netsuite.com", "app.netsuitesuiteprojectspro.com")
VALID_FOR = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True)
class TlsFiles:
    """Where the certificates and keys lie."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The authority's certificate: what a client must trust."""
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
    """The certificates of a sandbox folder, made when missing or about to expire.

    A folder made at once under another name and then renamed: two processes never mix their keys.
    """
    files = TlsFiles(folder / "tls")
    if _still_good(files.certificate):
        return files
    fresh = Path(tempfile.mkdtemp(prefix="tls-", dir=folder))
    _make(fresh)
    if files.folder.exists() and not _still_good(files.certificate):
        shutil.rmtree(files.folder)
    try:
        fresh.rename(files.folder)
    except OSError:  # another process was first
        shutil.rmtree(fresh)
    return files


def _still_good(certificate: Path) -> bool:
    if not certificate.exists():
        return False
    ends = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    # the machine's own time, not the sandbox's: that is what TLS libraries compare with
    return datetime.now(UTC) + RENEW_BEFORE < ends


def _make(folder: Path) -> None:
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _authority(ca_key)
    server = _server(server_key.public_key(), ca, ca_key)
    _write(folder / "ca-key.pem", _pem(ca_key))
    _write(folder / "server-key.pem", _pem(server_key))
    for name, certificate in (("ca.pem", ca), ("server.pem", server)):
        _write(folder / name, certificate.public_bytes(serialization.Encoding.PEM))


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Millpond sandbox authority")])
    permitted: list[x509.GeneralName] = [x509.DNSName(domain) for domain in ("localhost", *DOMAINS)]
    permitted.append(x509.IPAddress(ipaddress.IPv4Network(LOOPBACK)))
    return (
        _dated(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _server(
    public: ec.EllipticCurvePublicKey, ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Millpond sandbox")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(LOOPBACK)]
    names += [x509.DNSName(f"*.{domain}") for domain in DOMAINS]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return (
        _dated(name, ca.subject, public)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _dated(subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID_FOR)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
