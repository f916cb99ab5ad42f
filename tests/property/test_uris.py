"""URIs: written, read, compared, filed. RFC 3261 19.1.1, 19.1.4 and 10.3."""

from hypothesis import assume, example, given
from hypothesis import strategies as st

from sip_damage import damage
from sip_grammar import escaping, uris
from talkburst.sip.uri import SipUri, TelUri, Uri, UriError, parse_uri

PLAIN = "abcXYZ019-_.!~*'()"


@given(uris)
def test_a_uri_of_the_grammar_says_what_was_written(pair: tuple[str, Uri]) -> None:
    text, said = pair
    uri = parse_uri(text)
    assert uri == said
    assert parse_uri(str(uri)) == uri


@st.composite
def spelled_otherwise(draw: st.DrawFn, text: str) -> str:
    """The same URI: characters that need no escape are escaped, escapes are in the other case."""
    scheme, _, rest = text.partition(":")
    written = ""
    position = 0
    while position < len(rest):
        character = rest[position]
        if character == "%":
            written += draw(
                st.sampled_from([rest[position : position + 3].lower(), rest[position : position + 3].upper()])
            )
            position += 3
            continue
        written += f"%{ord(character):02x}" if character in PLAIN and draw(st.booleans()) else character
        position += 1
    return f"{scheme}:{written}"


@given(escaping("aZ09-_.!~*'()&=+$,;?/"), st.data())
def test_users_that_are_spelled_otherwise_are_the_same_and_are_filed_as_one(user: str, data: st.DataObject) -> None:
    one = parse_uri(f"sip:{user}@ims.example")
    other = parse_uri(f"{data.draw(spelled_otherwise(f'sip:{user}'))}@IMS.example")
    assert one.equivalent(other)
    assert one.addr_of_record() == other.addr_of_record()


@st.composite
def related(draw: st.DrawFn) -> tuple[Uri, Uri]:
    """Two URIs of which one is the other with up to two things wrong or different."""
    text, said = draw(uris)
    if isinstance(said, SipUri) and draw(st.booleans()):
        kept = draw(st.sets(st.sampled_from([*said.params, "lr"])))
        known = {"user": "phone", "maddr": "h", "ttl": "1"} if draw(st.booleans()) else {}
        params = {name: value for name, value in said.params.items() if name in kept}
        params |= known
        return said, SipUri(said.scheme, said.user, said.host, said.port, params, said.headers, said.password)
    changed = text.encode()
    for _ in range(draw(st.integers(0, 2))):
        changed = draw(damage(changed))
    try:
        return parse_uri(text), parse_uri(changed.decode("utf-8", "surrogateescape"))
    except UriError:
        assume(False)
        raise


@given(related())
@example((parse_uri("sip:a[b@h"), parse_uri("sip:a%5bb@h")))
@example((parse_uri("tel:1;phone-context=a"), parse_uri("tel:1;phone-context=%61")))
def test_equivalence_is_reflexive_symmetric_and_files_what_is_the_same_in_one_place(pair: tuple[Uri, Uri]) -> None:
    one, other = pair
    assert one.equivalent(one)
    assert other.equivalent(other)
    assert one.equivalent(other) is other.equivalent(one)
    if one.equivalent(other):
        assert one.addr_of_record() == other.addr_of_record()


@given(related())
def test_the_address_of_record_is_a_uri_that_is_filed_under_itself(pair: tuple[Uri, Uri]) -> None:
    for uri in pair:
        filed = parse_uri(uri.addr_of_record())
        assert filed.addr_of_record() == uri.addr_of_record()
        assert type(filed) is type(uri)
        assert not isinstance(filed, SipUri) or (filed.params, filed.headers, filed.password) == ({}, None, None)


@given(uris.flatmap(lambda pair: damage(pair[0].encode())))
def test_a_damaged_uri_is_a_uri_or_a_uri_error(data: bytes) -> None:
    try:
        uri = parse_uri(data.decode("utf-8", "surrogateescape"))
    except UriError:
        return
    assert parse_uri(str(uri)) == uri
    assert isinstance(uri, SipUri | TelUri) or uri.scheme not in ("sip", "sips", "tel")
