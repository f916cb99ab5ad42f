"""The file of passwords."""

import pytest

from talkburst_core.credentials import Credentials, CredentialsError, load


def test_password_and_algorithms_are_read() -> None:
    loaded = load("c.toml", '["a@x"]\npassword = "s"\n["b@x"]\npassword = "t"\nalgorithms = ["SHA-256", "MD5"]\n')
    assert loaded == {"a@x": Credentials("s", ("MD5",)), "b@x": Credentials("t", ("SHA-256", "MD5"))}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[", "c.toml: not TOML"),
        ('"a@x" = "s"', "c.toml: a@x: a table is needed"),
        ('["a@x"]', "c.toml: a@x: password is missing"),
        ('["a@x"]\npasword = "s"', "no such key as 'pasword', did you mean 'password'"),
        ('["a@x"]\npassword = "s"\nalgorithms = ["MD4"]', "no such algorithm as 'MD4', it is one of MD5"),
        ('["a@x"]\npassword = "s"\nalgorithms = "MD5"', "algorithms has to be a list"),
    ],
)
def test_wrong_file_is_refused_with_its_place(text: str, error: str) -> None:
    with pytest.raises(CredentialsError) as raised:
        load("c.toml", text)
    assert error in str(raised.value)


def test_password_is_not_shown() -> None:
    assert "s3cret" not in repr(Credentials("s3cret"))
