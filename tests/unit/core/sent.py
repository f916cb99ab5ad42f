"""What the core on a bench sends, and the text that it is sent."""

from dataclasses import dataclass

from talkburst.sip.flow import Flow
from talkburst.sip.message import Request, Response


def lines(text: str) -> bytes:
    """SIP text as it is written in these tests: indented lines without CR, the body after an empty line."""
    written = [line.strip() for line in text.strip().splitlines()]
    head, _, body = "\r\n".join(written).partition("\r\n\r\n")
    return f"{head}\r\n\r\n{body}".encode()


@dataclass
class Sent:
    """One message that the core sent, by which listener, where to and when (seconds since the start)."""

    message: Request | Response
    listener: str
    to: tuple[str, int]
    at: float
    flow: Flow

    @property
    def line(self) -> str:
        return self.message.start_line

    def header(self, name: str) -> str | None:
        return self.message.get(name)

    def headers(self, name: str) -> list[str]:
        return self.message.get_all(name)

    @property
    def text(self) -> str:
        return self.message.to_bytes().decode()


class Batch(list[Sent]):
    """Messages that were sent together."""

    @property
    def to_clients(self) -> list[Sent]:
        return [each for each in self if each.listener == "clients"]

    @property
    def to_servers(self) -> list[Sent]:
        return [each for each in self if each.listener == "servers"]

    @property
    def lines(self) -> list[str]:
        return [each.line for each in self]
