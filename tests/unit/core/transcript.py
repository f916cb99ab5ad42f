"""REGISTER requests and their answers as text, against a core on a bench."""

from core_bench import CoreBench

from talkburst.sip.message import Response


class Transcript:
    """REGISTER requests and their answers as text, against a bench.

    `>` begins a line of a request, `<` a line of the answer that it has to get, `+` lets that many seconds pass. What a
    request does not say is filled in: alice, with right credentials (`> as bob`: with bob's, `> as nobody`: with none),
    and the next CSeq number of one Call-ID. Of an answer the start line has to be the same, and every field that is
    named: all its values in their order, none where nothing stands behind the name. Contact is always named.
    """

    def __init__(self, bench: CoreBench) -> None:
        self.bench = bench
        self._cseq = 0

    def play(self, text: str) -> None:
        asked: list[str] = []
        answer: list[str] = []
        for line in [*(line.strip() for line in text.strip().splitlines()), ">"]:
            sign, words = line[:1], line[1:].strip()
            if answer and sign in ">+":
                self._exchange(asked, answer)
                asked, answer = [], []
            if sign == "+":
                self.bench.advance(float(words))
            elif words:
                {">": asked, "<": answer}[sign].append(words)
        assert not asked, "a request without an answer"

    def _exchange(self, asked: list[str], answer: list[str]) -> None:
        got = next(each for each in self.bench.client(self._request(asked)) if isinstance(each.message, Response))
        shown = got.text
        assert got.line == answer[0], shown
        assert got.message.status < 600, "RFC 3261 10.3: a registrar has no 6xx"
        assert got.header("Record-Route") is None, "RFC 3261 10.3: no Record-Route in a response to REGISTER"
        if got.message.status == 200:
            assert got.header("Date"), "RFC 3261 10.3 step 8"
            assert all(contact.params.get("expires") for contact in got.message.contacts), "RFC 3261 10.3 step 8"
        wanted: dict[str, list[str]] = {"Contact": []}
        for line in answer[1:]:
            name, _, value = line.partition(":")
            wanted.setdefault(name, []).extend([value.strip()] if value.strip() else [])
        for name, values in wanted.items():
            assert got.headers(name) == values, shown

    def _request(self, asked: list[str]) -> str:
        first = "REGISTER sip:ims.example SIP/2.0"
        if asked and asked[0].startswith("REGISTER "):
            first, *asked = asked
        user = next((line[3:] for line in asked if line.startswith("as ")), "alice")
        given = [line for line in asked if not line.startswith("as ")]
        number = next((int(line.split()[1]) for line in given if line.startswith("CSeq: ")), self._cseq + 1)
        self._cseq = max(self._cseq, number)
        usual = {
            "From": f"<sip:alice@ims.example>;tag={self.bench.engine.token()}",
            "To": "<sip:alice@ims.example>",
            "Call-ID": "one",
            "CSeq": f"{number} REGISTER",
        }
        if user != "nobody" and not any(line.startswith("Authorization:") for line in given):
            usual["Authorization"] = self._credentials(user, first.split()[1])
        present = {line.partition(":")[0] for line in given}
        return "\n".join([first, *(f"{name}: {usual[name]}" for name in usual if name not in present), *given])

    def _credentials(self, user: str, uri: str) -> str:
        (challenge,) = self.bench.client(f"""
            REGISTER sip:ims.example SIP/2.0
            From: <sip:{user}@ims.example>;tag=c
            To: <sip:{user}@ims.example>
            Call-ID: {self.bench.engine.token()}
            CSeq: 1 REGISTER
        """)
        return self.bench.credentials(challenge, f"{user}@ims.example", user, "REGISTER", uri)
