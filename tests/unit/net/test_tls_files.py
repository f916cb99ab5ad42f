"""What is wrong with the files of [tls]: one line that names the key and the file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form

from authority import Authority
from talkburst.daemon.configuration import load
from talkburst.daemon.settings import ConfigurationError, Settings, TlsSettings
from talkburst.net.tls import Tls, tls_for


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def encrypt(keys: dict[str, str]) -> None:
    key = form.load_pem_private_key(Path(keys["key"]).read_bytes(), None)
    secret = form.BestAvailableEncryption(b"secret")
    Path(keys["key"]).write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, secret))


def _set(name: str, value: str) -> Callable[[dict[str, str]], None]:
    return lambda keys: keys.update({name: value})


WRONG: dict[str, tuple[Callable[[dict[str, str]], object], str]] = {
    "no certificate file": (_set("certificate", "/nowhere.pem"), "tls.certificate: cannot read /nowhere.pem: No such"),
    "a directory": (_set("certificate", "/"), "tls.certificate: cannot read /: Is a directory"),
    "no key file": (_set("key", "/nowhere.key"), "tls.key: cannot read /nowhere.key: No such file or directory"),
    "no ca file": (_set("ca", "/nowhere.pem"), "tls.ca: cannot read /nowhere.pem: No such file"),
    "text for a certificate": (
        lambda keys: Path(keys["certificate"]).write_text("hello"),
        "tls.certificate: {certificate} holds no certificate in PEM",
    ),
    "text for a key": (
        lambda keys: Path(keys["key"]).write_text("hello"),
        "tls.key: {key} holds no private key in PEM",
    ),
    "text for a ca": (lambda keys: Path(keys["ca"]).write_text("hello"), "tls.ca: {ca} holds no certificates in PEM"),
    "no key in the certificate's file": (
        _set("key", ""),
        "tls.certificate: {certificate} holds no private key in PEM",
    ),
    "a key with a passphrase": (encrypt, "tls.key: the key in {key} has a passphrase; give one without"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_file_is_named_with_its_key(authority: Authority, case: str) -> None:
    damage, text = WRONG[case]
    keys = {**authority.issue("b.example"), "ca": authority.ca}
    before = dict(keys)
    damage(keys)
    with pytest.raises(ConfigurationError) as raised:
        Tls(TlsSettings(**keys))
    assert text.format(**before) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert "PRIVATE" not in str(raised.value)


def test_key_of_another_certificate_is_told_apart(authority: Authority) -> None:
    one, other = authority.issue("a.example"), authority.issue("a.example")
    with pytest.raises(ConfigurationError) as raised:
        Tls(TlsSettings(certificate=one["certificate"], key=other["key"]))
    assert str(raised.value) == f"tls.key: {other['key']} is not the key of the certificate in {one['certificate']}"


def test_expired_certificate_is_told_with_its_date(authority: Authority) -> None:
    keys = authority.issue("a.example", expired=True)
    with pytest.raises(ConfigurationError, match=r"tls\.certificate: .*\.pem expired on 20..-..-.. ..:.. UTC$"):
        Tls(TlsSettings(**keys))


def test_certificate_and_key_may_be_one_file(authority: Authority, tmp_path: Path) -> None:
    keys = authority.issue("a.example")
    both = tmp_path / "both.pem"
    both.write_bytes(Path(keys["key"]).read_bytes() + Path(keys["certificate"]).read_bytes())
    assert Tls(TlsSettings(certificate=str(both), ca=authority.ca)).accepting is not None


def test_files_that_became_wrong_leave_what_was_read_before(authority: Authority) -> None:
    keys = authority.issue("a.example")
    tls = Tls(TlsSettings(**keys))
    before = tls.accepting, tls.calling
    Path(keys["key"]).write_text("hello")
    with pytest.raises(ConfigurationError):
        tls.reload()
    assert (tls.accepting, tls.calling) == before


def test_daemon_has_its_own_table_before_that_of_all(authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / "talkburst.toml"
    file.write_text(
        '[tls]\ncertificate = "all.pem"\nkey = "all.key"\nca = "ca.pem"\n[core.tls]\ncertificate = "core.pem"\n'
    )
    settings = load(file, environ={"TALKBURST_SERVER__TLS__VERIFY_CLIENT": "required"})
    core, server = settings.tls_for("core"), settings.tls_for("server")
    assert (core.certificate, core.key) == (str(tmp_path / "core.pem"), "")  # not the key of another certificate
    assert (server.certificate, server.key) == (str(tmp_path / "all.pem"), str(tmp_path / "all.key"))
    assert (core.verify_client, server.verify_client) == ("no", "required")
    with pytest.raises(ConfigurationError, match=r"^core\.tls\.certificate: cannot read .*core\.pem"):
        Tls(core, "core")
    with pytest.raises(ConfigurationError, match=r"^tls\.certificate: cannot read .*all\.pem"):
        Tls(server, "server")


def test_tls_listener_without_a_certificate_is_a_fault_of_whoever_must_be_called() -> None:
    settings = Settings(
        core={"listen_servers": ["tls:127.0.0.1"]}, client={"listen": ["tls:127.0.0.1"], "transport": "tls"}
    )
    with pytest.raises(ConfigurationError) as raised:
        tls_for(settings, "core")
    assert str(raised.value) == (
        "core.listen_servers: tls:127.0.0.1 needs a certificate: set tls.certificate and tls.key "
        "(or core.tls.certificate)"
    )
    assert tls_for(settings, "client", must_listen=False) is not None
    assert tls_for(settings, "server") is None  # it speaks none


def test_wrong_verify_client_says_what_would_be_right(tmp_path: Path) -> None:
    file = tmp_path / "talkburst.toml"
    file.write_text("[tls]\nverify_client = true\n")
    with pytest.raises(ConfigurationError) as raised:
        load(file, environ={})
    assert '"no", "if-given" or "required"' in str(raised.value)


def test_transport_tls_of_the_client_wants_a_listener_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "talkburst.toml"
    file.write_text('[client]\ntransport = "tls"\n')
    with pytest.raises(ConfigurationError, match=r"needs a listener of its own: add tls:HOST:PORT to client\.listen"):
        load(file, environ={})
