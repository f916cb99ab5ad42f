"""What the registrar knows beforehand of a text is what is made from its parts."""

from hypothesis import example, given
from hypothesis import strategies as st

from sip_grammar import uris
from talkburst.sip import NameAddr, UriError, parse_uri
from talkburst.sip.digest import ALGORITHMS, Challenge, NonceIssuer, challenge
from talkburst.sip.flow import Flow
from talkburst.sip.headers import parse_auth, parse_name_addr
from talkburst_core.bindings import Binding
from talkburst_core.same_contact import is_written_the_same

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5060), listener="clients")
realms = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60) | st.just("0" * 52)
tokens = st.from_regex(r"[a-z0-9.+-]{1,12}", fullmatch=True)

texts = uris.map(lambda pair: pair[0])


@given(realms, st.sampled_from(sorted(ALGORITHMS)), st.booleans(), st.binary(max_size=80), st.floats(0, 2**36))
def test_a_challenge_from_its_template_is_the_one_that_is_written_from_its_directives(
    realm: str, algorithm: str, stale: bool, key: bytes, now: float
) -> None:
    nonce = NonceIssuer(key, 300.0).issue("alice@ims.example", now)
    written = str(challenge(realm=realm, nonce=nonce, algorithm=algorithm, stale=stale))
    assert Challenge(realm, algorithm, stale).text(nonce) == written
    assert parse_auth(written).params["nonce"] == nonce


@given(texts, texts)
@example("sip:a:b@h:5060;x=1;y=2?z=1", "tel:+1")
def test_two_uris_are_written_the_same_exactly_if_their_texts_are(text: str, another: str) -> None:
    for other in (*_near(text), another):
        try:
            one, two = parse_uri(text), parse_uri(other)
        except UriError:
            continue
        assert is_written_the_same(one, two) == (str(one) == str(two))


def _near(text: str) -> list[str]:
    """The same, with another case, with what is in it once more, turned round, or taken away."""
    address, question, headers = text.partition("?")
    parts = address.split(";")
    return [
        text,
        text.upper(),
        text.lower(),
        f"{text};lr",
        f"{text};lr=",
        f"{text}?a=b",
        f"{text}?",
        ";".join([parts[0], *reversed(parts[1:])]) + question + headers,
        parts[0],
        address,
        text.replace(":b@", "@"),
        text.replace(":5060", ""),
        text.replace("a:b@", "c:b@"),
        text.replace("@h", "@i"),
        text.replace("sip:", "sips:"),
    ]


@given(
    st.dictionaries(tokens.filter(lambda name: name not in ("expires", "q")), st.none() | tokens, max_size=4),
    st.none() | st.just("0.5"),
    st.floats(0, 2**33),
    st.integers(1, 3600),
)
def test_the_contact_of_a_200_has_what_was_registered_and_what_is_left(
    params: dict[str, str | None], q: str | None, now: float, lifetime: int
) -> None:
    contact = NameAddr("Alice", parse_uri("sip:alice@192.0.2.2;ob"), params)
    binding = Binding("c1", "alice@ims.example", contact, q, "call", 1, now, now + lifetime, (), FLOW)
    read = parse_name_addr(binding.header(now))
    assert (read.display, read.uri) == (contact.display, contact.uri)
    assert list(read.params.items()) == [
        *params.items(),
        ("expires", str(lifetime)),
        *([] if q is None else [("q", q)]),
    ]
