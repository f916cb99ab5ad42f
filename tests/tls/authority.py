"""A certificate authority of the tests, and files of what it signs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from talkburst.daemon.settings import TlsSettings


class Authority:
    """Signs what a test wants, in files under `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self._count = 0
        self.ca = str(directory / "ca.pem")
        self._ca.cert_pem.write_to_path(self.ca)

    def issue(self, *names: str, expired: bool = False) -> dict[str, str]:
        """Certificate and key for names and addresses, as keys of [tls]."""
        begin = datetime.now(UTC) - timedelta(days=1)
        until = datetime.now(UTC) + (timedelta(hours=-1) if expired else timedelta(days=1))
        leaf = self._ca.issue_cert(*names, not_before=begin, not_after=until, key_type=trustme.KeyType.ECDSA)
        certificate, key = self._places()
        leaf.cert_chain_pems[0].write_to_path(str(certificate))
        leaf.private_key_pem.write_to_path(str(key))
        return {"certificate": str(certificate), "key": str(key)}

    def issue_for_uris(self, *uris: str, dns: str | None = None) -> dict[str, str]:
        """A certificate with URIs in it, which trustme makes none of."""
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        if dns is not None:
            names.append(x509.DNSName(dns))
        return self._issue_with(x509.SubjectAlternativeName(names))

    def issue_for_people(self, *, dns: str) -> dict[str, str]:
        """A certificate with a name of a directory and a mail address beside its DNS name."""
        person = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Bob")])
        names = [x509.DirectoryName(person), x509.RFC822Name("bob@b.example"), x509.DNSName(dns)]
        return self._issue_with(x509.SubjectAlternativeName(names))

    def issue_for_bytes(self, name: bytes) -> dict[str, str]:
        """A certificate with a DNS name of any bytes, fewer than 120, which nobody else makes."""
        names = bytes((0x30, len(name) + 2, 0x82, len(name))) + name
        return self._issue_with(x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, names))

    def _issue_with(self, names: x509.ExtensionType) -> dict[str, str]:
        own = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.load_pem_x509_certificate(self._ca.cert_pem.bytes())
        signer = serialization.load_pem_private_key(self._ca.private_key_pem.bytes(), None)
        now = datetime.now(UTC)
        signed = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(issuer.subject)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(names, critical=True)
            .sign(signer, hashes.SHA256())
        )
        certificate, key = self._places()
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        key.write_bytes(own.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        return {"certificate": str(certificate), "key": str(key)}

    def settings(self, *names: str, **keys: str) -> TlsSettings:
        """[tls] with a certificate for `names` and this authority to be believed, unless `keys` say otherwise."""
        issued = self.issue(*names) if names and "certificate" not in keys else {}
        return TlsSettings(**{"ca": self.ca, **issued, **keys})

    def _places(self) -> tuple[Path, Path]:
        self._count += 1
        return self._directory / f"{self._count}.pem", self._directory / f"{self._count}.key"
