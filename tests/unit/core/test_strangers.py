"""Who is nobody, at a core with many users."""

from collections.abc import ValuesView

from talkburst.sip import Request
from talkburst.sip.digest import DigestVerifier
from talkburst_core.authentication import REGISTRAR, Authentication
from talkburst_core.credentials import Credentials
from talkburst_core.profile import Subscribers
from talkburst_core.refusal import Refusal


class GoneThrough(dict[str, Credentials]):
    """Credentials that count how often somebody goes through all of them."""

    times = 0

    def values(self) -> ValuesView[Credentials]:  # type: ignore[override]  # dict_values is not to be named
        self.times += 1
        return super().values()


def test_a_request_of_nobody_is_challenged_without_going_through_all_passwords() -> None:
    passwords = GoneThrough({f"u{number}@ims.example": Credentials("pw") for number in range(3)})
    verifier = DigestVerifier(b"key", 300.0)
    authentication = Authentication(Subscribers(), passwords, verifier, lambda what, facts: None)
    passwords.times = 0
    own = "<sip:stranger@ims.example>"
    headers = [("From", f"{own};tag=1"), ("To", own), ("Call-ID", "c"), ("CSeq", "1 REGISTER")]
    for second in range(10):
        answer = authentication.authenticate(
            Request("REGISTER", "sip:ims.example", headers), REGISTRAR, "stranger@ims.example", float(second)
        )
        assert isinstance(answer, Refusal)
        assert answer.status == 401
    assert passwords.times == 0
