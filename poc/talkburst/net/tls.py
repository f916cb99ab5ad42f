"""What TLS needs of the configuration: certificate and key, whom to believe, whom to ask for a certificate."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

from talkburst.daemon.address import parse_listen
from talkburst.daemon.settings import ConfigurationError, Settings, TlsSettings

_VERIFY = {"no": ssl.CERT_NONE, "if-given": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class Tls:
    """The contexts of a daemon: `accepting` is None where there is no certificate, and then nobody can call it.

    TLS 1.2 and newer with the ciphers that Python takes for good, no compression and no renegotiation. Names are not
    OpenSSL's affair: RFC 5922 compares them in another way than HTTPS.
    """

    def __init__(self, settings: TlsSettings, name: str = "") -> None:
        """Raises ConfigurationError. `name` is the daemon's, to say in which table a key stands."""
        self._settings = settings
        self._name = name
        self.accepting, self.calling = self._read()

    def reload(self) -> None:
        """Read the files again, for connections from now on; raises ConfigurationError, and all stays as it was."""
        self.accepting, self.calling = self._read()

    def _read(self) -> tuple[ssl.SSLContext | None, ssl.SSLContext]:
        settings = self._settings
        calling = _context(ssl.PROTOCOL_TLS_CLIENT)
        calling.check_hostname = False
        calling.verify_mode = ssl.CERT_REQUIRED
        accepting = _context(ssl.PROTOCOL_TLS_SERVER) if settings.certificate else None
        contexts = [calling] if accepting is None else [calling, accepting]
        if accepting is not None:
            self._check_certificate()
            accepting.verify_mode = _VERIFY[settings.verify_client]
            for context in contexts:
                self._load_certificate(context)
        for context in contexts:
            self._load_ca(context)
        return accepting, calling

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        settings = self._settings
        try:
            context.load_cert_chain(settings.certificate, settings.key or None, password=lambda: "")
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            reason = getattr(error, "reason", None) or str(error)
            raise self._fault("certificate", f"{settings.certificate}: OpenSSL does not take it ({reason})") from None

    def _load_ca(self, context: ssl.SSLContext) -> None:
        ca = self._settings.ca
        if not ca:
            context.load_default_certs()
            return
        self._bytes("ca", ca)
        try:
            context.load_verify_locations(ca)
        except (OSError, ValueError):
            raise self._fault("ca", f"{ca} holds no certificates in PEM") from None

    def _check_certificate(self) -> None:
        """Say in our words what OpenSSL would say in its own, or only when somebody calls."""
        from cryptography import x509  # only who speaks TLS pays for the import
        from cryptography.hazmat.primitives import serialization

        settings = self._settings
        path, key_path = settings.certificate, settings.key or settings.certificate
        where = "key" if settings.key else "certificate"
        try:
            own = x509.load_pem_x509_certificates(self._bytes("certificate", path))[0]
        except ValueError:
            raise self._fault("certificate", f"{path} holds no certificate in PEM") from None
        now = datetime.now(UTC)
        if own.not_valid_after_utc <= now:
            raise self._fault("certificate", f"{path} expired on {own.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
        if own.not_valid_before_utc > now:
            raise self._fault(
                "certificate", f"{path} is not valid before {own.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            )
        try:
            key = serialization.load_pem_private_key(self._bytes(where, key_path), password=None)
        except TypeError:
            raise self._fault(where, f"the key in {key_path} has a passphrase; give one without") from None
        except ValueError:
            raise self._fault(where, f"{key_path} holds no private key in PEM") from None
        if key.public_key() != own.public_key():
            raise self._fault(where, f"{key_path} is not the key of the certificate in {path}")

    def _bytes(self, key: str, path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise self._fault(key, f"cannot read {path}: {error.strerror}") from None

    def _fault(self, key: str, text: str) -> ConfigurationError:
        return ConfigurationError(f"{self._settings.place(key, self._name)}: {text}")


def https_context(settings: TlsSettings, name: str) -> ssl.SSLContext | None:
    """For calls over HTTPS, whose names are HTTPS's own affair (RFC 9110 4.3.4); None: as the system has it."""
    if not settings.ca:
        return None
    Tls(settings.model_copy(update={"certificate": ""}), name)  # says what is wrong with the file
    return ssl.create_default_context(cafile=settings.ca)


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def tls_for(settings: Settings, name: str, *, must_listen: bool = True) -> Tls | None:
    """The TLS of a daemon: None where no listener of its own speaks it. Raises ConfigurationError.

    With `must_listen` a listener without a certificate is an error: whoever only calls can do without.
    """
    section = getattr(settings, name)
    keys = [key for key in ("listen", "listen_servers") if hasattr(section, key)]
    spoken = [(key, entry) for key in keys for entry in getattr(section, key) if parse_listen(entry).transport == "tls"]
    if not spoken:
        return None
    own = settings.tls_for(name)
    if must_listen and not own.certificate:
        key, entry = spoken[0]
        raise ConfigurationError(
            f"{name}.{key}: {entry} needs a certificate: set tls.certificate and tls.key (or {name}.tls.certificate)"
        )
    return Tls(own, name)
