"""What a value of the settings may be: its type, and what is said of one that is wrong."""

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from talkburst.daemon.address import parse_host_port, parse_listen

_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


def key_fault(key: str, text: str) -> PydanticCustomError:
    """A fault found by a check over several keys, laid at the door of one of them."""
    return PydanticCustomError("key_fault", "{text}", {"key": key, "text": text})


def checked(check: Callable[[str], object]) -> AfterValidator:
    """A text that is empty, or that `check` takes (it raises ValueError with what would be right)."""

    def validate(text: str) -> str:
        if text:
            check(text)
        return text

    return AfterValidator(validate)


def expect(pattern: str, right: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        if not re.fullmatch(pattern, text):
            raise ValueError(right)

    return check


def _check_domain(text: str) -> None:
    if not _DOMAIN.fullmatch(text):
        raise ValueError("must be a bare domain name such as ims.example")


def _check_advertise(text: str) -> None:
    host, _ = parse_host_port(text)
    if host in ("0.0.0.0", "::"):
        raise ValueError("must be an address or name that others can reach; this one is the wildcard")


def check_peer(text: str) -> None:
    if "/" in text or re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", text):
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError("must be an address, a network such as 10.0.0.0/8, or a name") from None


def _check_host_value(text: str) -> None:
    address, _, parameter = text.partition(";")
    if parameter.lower() not in ("", "transport=udp", "transport=tcp", "transport=tls"):
        raise ValueError('may carry ";transport=udp", ";transport=tcp" or ";transport=tls" and nothing else')
    parse_host_port(address)


def commas(value: object) -> object:
    """A list may also be written as one text with commas, as the environment must."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


Domain = Annotated[str, Field(min_length=1), checked(_check_domain)]
Listens = Annotated[list[Annotated[str, checked(parse_listen)]], Field(min_length=1), BeforeValidator(commas)]
Advertise = Annotated[str, checked(_check_advertise)]
SipUriText = Annotated[str, Field(min_length=1), checked(expect(r"sips?:\S+", "must be a SIP URI such as sip:x.org"))]
PublicId = Annotated[
    str, Field(min_length=1), checked(expect(r"(sips?|tel):\S+", "must be a SIP or tel URI such as sip:a@x.org"))
]
HttpUrl = Annotated[str, checked(expect(r"https?://[^\s/]+(/\S*)?", "must be a URL such as http://127.0.0.1:8080/x"))]
Names = Annotated[list[str], BeforeValidator(commas)]
Hosts = dict[str, Annotated[str, Field(min_length=1), checked(_check_host_value)]]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
FlowTimer = Annotated[int, Field(ge=0, le=86_400)]  # seconds, RFC 5626 11.1; 0 asks for no keep-alives
Expires = Annotated[int, Field(ge=1, le=2**32 - 1)]  # delta-seconds, RFC 3261 20.19


def need_advertise(listen: list[str], advertise: str, listen_key: str, advertise_key: str) -> None:
    """A wildcard can stand in no Via and no Contact, so somebody has to say what does."""
    for entry in listen:
        if parse_listen(entry).is_wildcard and not advertise:
            raise key_fault(
                listen_key,
                f"{entry} listens on every address, so {advertise_key} must say which one peers are told, "
                f'such as {advertise_key} = "192.0.2.1"',
            )
