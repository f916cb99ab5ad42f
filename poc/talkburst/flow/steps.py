"""The 32 steps as data: who sends what to whom, what it waits for, how it is found and what must hold of it.

OMA-POC-2004-0894, Figure D.X. `causes` are the only order that binds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from talkburst.flow import find_registration, find_settings, find_subscription
from talkburst.flow.evidence import Evidence, Found
from talkburst.flow.find_documents import documents_fetched
from talkburst.flow.find_settings import answer_to, copy_of
from talkburst.flow.pairs import same_request_as, same_response_as
from talkburst.flow.roles import Hop, Role
from talkburst.flow.rows import (
    Row,
    answered,
    answers_challenge,
    asks_for_itself,
    asks_for_settings,
    asks_for_the_user,
    challenges,
    has_feature_tag,
    in_dialog_of,
    is_third_party,
    lists_binding,
    stays_on_the_path,
)
from talkburst.flow.rows_settings import (
    carries_settings,
    grants_publication,
    shows_current_settings,
    shows_published_settings,
)
from talkburst.xml import poc_settings, reginfo

Finder = Callable[[Evidence], Found]


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    `after` are steps that this one usually follows: they move its wait, but an earlier message is no fault.
    """

    number: int
    sender: Role
    receiver: Role
    message: str
    causes: tuple[int, ...]
    find: Finder
    rows: tuple[Row, ...] = ()
    after: tuple[int, ...] = ()

    @property
    def hop(self) -> Hop:
        """Where it is seen; what the server does by itself shows between core and server."""
        ends = {self.sender, self.receiver}
        if "client" in ends:
            return "C-I"
        return "S-X" if "xdms" in ends else "I-S"


_REG_DOCUMENT: Final = reginfo.MEDIA_TYPE
_SETTINGS_DOCUMENT: Final = poc_settings.MEDIA_TYPE
_OK: Final = "200 OK"
_SUBSCRIBE: Final = "SUBSCRIBE Event: poc-settings"
_NOTIFY: Final = "NOTIFY Event: poc-settings"
_PUBLISH: Final = "PUBLISH Event: poc-settings"

STEPS: Final[tuple[Step, ...]] = (
    Step(1, "client", "core", "REGISTER", (), find_registration.first_register, (has_feature_tag,)),
    Step(2, "core", "client", "401 Unauthorized", (1,), find_registration.challenge, (challenges,)),
    Step(
        3,
        "client",
        "core",
        "REGISTER with credentials",
        (2,),
        find_registration.authorised_register,
        (has_feature_tag, answers_challenge),
    ),
    Step(4, "core", "client", _OK, (3,), find_registration.registered, (answered, lists_binding)),
    Step(
        5,
        "core",
        "server",
        "third-party REGISTER",
        (3,),
        find_registration.third_party_register,
        (is_third_party,),
    ),
    Step(6, "server", "core", _OK, (5,), answer_to(5, "I-S"), (answered,)),
    Step(
        7,
        "server",
        "core",
        "SUBSCRIBE Event: reg",
        (5,),
        find_subscription.server_subscribes,
        (asks_for_the_user,),
    ),
    Step(8, "core", "server", _OK, (7,), answer_to(7, "I-S"), (answered,)),
    Step(
        9,
        "core",
        "server",
        "NOTIFY Event: reg",
        (7,),
        find_subscription.server_notified,
        (in_dialog_of(7, _REG_DOCUMENT),),
    ),
    Step(10, "server", "core", _OK, (9,), answer_to(9, "I-S"), (answered,)),
    Step(11, "server", "xdms", "XCAP GETs", (9,), documents_fetched),
    Step(
        12,
        "client",
        "core",
        "SUBSCRIBE Event: reg",
        (4,),
        find_subscription.client_subscribes,
        (asks_for_itself,),
    ),
    Step(13, "core", "client", _OK, (12,), answer_to(12, "C-I"), (answered,)),
    Step(
        14,
        "core",
        "client",
        "NOTIFY Event: reg",
        (12,),
        find_subscription.client_notified,
        (in_dialog_of(12, _REG_DOCUMENT),),
    ),
    Step(15, "client", "core", _OK, (14,), answer_to(14, "C-I"), (answered,)),
    Step(
        16,
        "client",
        "core",
        _SUBSCRIBE,
        (4,),
        find_settings.client_subscribes_to_settings,
        (asks_for_settings,),
        after=(14,),
    ),
    Step(17, "core", "server", _SUBSCRIBE, (16,), copy_of(16, "I-S"), (same_request_as(16), stays_on_the_path)),
    Step(18, "server", "core", _OK, (17,), answer_to(17, "I-S"), (answered,)),
    Step(19, "core", "client", _OK, (18,), answer_to(16, "C-I"), (answered, same_response_as(18))),
    Step(
        20,
        "server",
        "core",
        _NOTIFY,
        (17,),
        find_settings.settings_notified,
        (in_dialog_of(17, _SETTINGS_DOCUMENT), shows_current_settings),
    ),
    Step(
        21,
        "core",
        "client",
        _NOTIFY,
        (20,),
        copy_of(20, "C-I"),
        (in_dialog_of(16, _SETTINGS_DOCUMENT), same_request_as(20), shows_current_settings),
    ),
    Step(22, "client", "core", _OK, (21,), answer_to(21, "C-I"), (answered,)),
    Step(23, "core", "server", _OK, (22,), answer_to(20, "I-S"), (answered, same_response_as(22))),
    Step(
        24,
        "client",
        "core",
        _PUBLISH,
        (4,),
        find_settings.client_publishes,
        (asks_for_settings, carries_settings),
        after=(21,),
    ),
    Step(25, "core", "server", _PUBLISH, (24,), copy_of(24, "I-S"), (same_request_as(24),)),
    Step(26, "server", "core", _OK, (25,), answer_to(25, "I-S"), (answered, grants_publication)),
    Step(
        27,
        "core",
        "client",
        _OK,
        (26,),
        answer_to(24, "C-I"),
        (answered, grants_publication, same_response_as(26)),
    ),
    Step(28, "server", "server", "settings stored", (25,), find_settings.settings_stored),
    Step(
        29,
        "server",
        "core",
        _NOTIFY,
        (25,),
        find_settings.updated_settings_notified,
        (in_dialog_of(17, _SETTINGS_DOCUMENT), shows_published_settings),
    ),
    Step(
        30,
        "core",
        "client",
        _NOTIFY,
        (29,),
        copy_of(29, "C-I"),
        (in_dialog_of(16, _SETTINGS_DOCUMENT), same_request_as(29), shows_published_settings),
    ),
    Step(31, "client", "core", _OK, (30,), answer_to(30, "C-I"), (answered,)),
    Step(32, "core", "server", _OK, (31,), answer_to(29, "I-S"), (answered, same_response_as(31))),
)

BY_NUMBER: Final[dict[int, Step]] = {step.number: step for step in STEPS}

# Not needed where step 20 shows another client's settings and this one publishes nothing.
PUBLICATION: Final = range(24, 33)
