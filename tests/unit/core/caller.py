"""Alice's side of a call through a core on a bench, and bob's requests to her."""

ALICE = ("127.0.0.1", 5090)
BOB = ("127.0.0.1", 5092)
RECORDED = "<sip:127.0.0.1:5060;lr>"


class Caller:
    """Alice's side of a call on a bench."""

    def __init__(self, bench, uri: str = "sip:bob@ims.example", call_id: str = "call") -> None:
        self.bench, self.uri, self.call_id = bench, uri, call_id
        self._via = f"SIP/2.0/{bench.transport} {ALICE[0]}:{ALICE[1]};branch=z9hG4bK{call_id};rport"

    def text(self, method: str, uri: str, number: int, *, tag: str = "", route: str = "", headers: str = "") -> str:
        return "\n".join(
            [
                f"{method} {uri} SIP/2.0",
                *([f"Route: {route}"] if route else []),
                "From: <sip:alice@ims.example>;tag=a",
                f"To: <{self.uri}>" + (f";tag={tag}" if tag else ""),
                f"Call-ID: {self.call_id}",
                f"CSeq: {number} {method}",
                f"Contact: <sip:alice@{ALICE[0]}:{ALICE[1]}>",
                *filter(None, headers.split("\n")),
            ]
        )

    def invite(self, headers: str = "", **source):
        text = self.text("INVITE", self.uri, 1, headers=f"Via: {self._via}\n{headers}")
        return self.bench.client(text, **source)

    def cancel(self):
        return self.bench.client(self.text("CANCEL", self.uri, 1, headers=f"Via: {self._via}"))

    def within(self, method: str, number: int, target: str = f"sip:bob@{BOB[0]}:{BOB[1]}", route: str = RECORDED):
        """A request in the dialog, along the route that was recorded."""
        return self.bench.client(self.text(method, target, number, tag="b", route=route))

    def from_callee(self, method: str, number: int, route: str = RECORDED, source: tuple[str, int] = BOB):
        """The same from the other end."""
        return self.bench.client(
            f"""
            {method} sip:alice@{ALICE[0]}:{ALICE[1]} SIP/2.0
            Route: {route}
            From: <{self.uri}>;tag=b
            To: <sip:alice@ims.example>;tag=a
            Call-ID: {self.call_id}
            CSeq: {number} {method}
            Contact: <sip:bob@{source[0]}:{source[1]}>
            """,
            source,
        )


def lines(sent) -> list[str]:
    """Port and start line of each message."""
    return [f"{each.to[1]} {each.line.removeprefix('SIP/2.0 ')}" for each in sent]
