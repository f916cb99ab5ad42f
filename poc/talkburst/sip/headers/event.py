"""``Event: reg;id=7`` and ``Subscription-State: active;expires=600``, RFC 6665 8.2.1 and 8.2.3."""

from typing import Final

from talkburst.sip.headers.grammar import HeaderError, is_token, parse_delta_seconds, parse_params
from talkburst.sip.remembered import remember
from talkburst.sip.uri_parts import NO_PARAMS, ReadParams, params_text


class Event:
    """An event package with its parameters. Package names are case-sensitive. None is ever changed."""

    __slots__ = ("package", "params")

    def __init__(self, package: str, params: ReadParams | None = None) -> None:
        self.package: Final = package
        self.params: Final[ReadParams] = NO_PARAMS if params is None else params

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and self.package == other.package and self.params == other.params

    def __hash__(self) -> int:
        return hash(self.package)

    def __repr__(self) -> str:
        return f"Event({str(self)!r})"

    def __str__(self) -> str:
        return f"{self.package}{params_text(self.params)}"

    @property
    def id(self) -> str | None:
        """The id parameter: which subscription of the dialog is meant."""
        return self.params.get("id")


class SubscriptionState:
    """active, pending, terminated or an extension, in lower case, with its parameters. None is ever changed."""

    __slots__ = ("params", "state")

    def __init__(self, state: str, params: ReadParams | None = None) -> None:
        self.state: Final = state
        self.params: Final[ReadParams] = NO_PARAMS if params is None else params

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SubscriptionState) and self.state == other.state and self.params == other.params

    def __hash__(self) -> int:
        return hash(self.state)

    def __repr__(self) -> str:
        return f"SubscriptionState({str(self)!r})"

    def __str__(self) -> str:
        return f"{self.state}{params_text(self.params)}"

    @property
    def expires(self) -> int | None:
        """Seconds left, or None when absent or unreadable."""
        return _seconds(self.params.get("expires"))

    @property
    def reason(self) -> str | None:
        """Why a subscription was terminated or is pending, in lower case."""
        reason = self.params.get("reason")
        return None if reason is None else reason.lower()

    @property
    def retry_after(self) -> int | None:
        """Seconds to wait before the next try, or None when absent or unreadable."""
        return _seconds(self.params.get("retry-after"))


def parse_event(text: str) -> Event:
    """Reads an Event value. Raises HeaderError."""
    known = _remembered.get(text)
    return remember(_remembered, text, _read_event(text)) if known is None else known


_remembered: Final[dict[str, Event]] = {}


def _read_event(text: str) -> Event:
    package, semicolon, params = text.partition(";")
    package = package.strip()
    if not is_token(package):
        raise HeaderError(f"{package!r} is no event package")
    return Event(package, parse_params(semicolon + params))


def parse_subscription_state(text: str) -> SubscriptionState:
    """Reads a Subscription-State value. Raises HeaderError."""
    state, semicolon, params = text.partition(";")
    state = state.strip().lower()
    if state != "active" and not is_token(state):
        raise HeaderError(f"{state!r} is no subscription state")
    return SubscriptionState(state, parse_params(semicolon + params))


def _seconds(value: str | None) -> int | None:
    if value is None:
        return None
    try:
        return parse_delta_seconds(value)
    except HeaderError:
        return None
