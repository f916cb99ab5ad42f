"""Certificates for a demo over TLS: an authority whose key is thrown away when it has signed, and what it signed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=30)  # a demo may stay for a while
CLOCKS = timedelta(hours=1)  # that its clock may be behind


class Authority:
    """Signs into `directory`. `ca` is the file of its own certificate."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Talkburst demo")])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        own = self._builder(self._name, self._key).add_extension(constraints, critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self._own = own.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.ca = directory / "ca.pem"
        _write(self.ca, self._own.public_bytes(serialization.Encoding.PEM))

    def issue(self, daemon: str, names: Iterable[str], address: str) -> dict[str, str]:
        """The certificate and the key of a daemon that is called by these names and by its address: keys of [tls]."""
        key = ec.generate_private_key(ec.SECP256R1())
        known = x509.SubjectAlternativeName(
            [*(x509.DNSName(name) for name in names), x509.IPAddress(ip_address(address))]
        )
        both_ends = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = (
            self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, daemon)]), key)
            .add_extension(known, critical=False)
            .add_extension(both_ends, critical=False)
            .add_extension(issuer, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        places = {"certificate": self._directory / f"{daemon}.pem", "key": self._directory / f"{daemon}.key"}
        _write(places["certificate"], signed.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        _write(places["key"], key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        return {name: str(place) for name, place in places.items()}

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now, public = datetime.now(UTC), key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCKS)
            .not_valid_after(now + LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )


def _write(path: Path, data: bytes) -> None:
    """A file for its owner alone; one of a demo before this one is replaced."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
