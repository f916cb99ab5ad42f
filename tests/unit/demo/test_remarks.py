"""What of the daemons' logs is shown while the flow runs."""

from datetime import UTC, datetime

import pytest

from talkburst.demo.remarks import Remark, Remarks, remark_of

AT = "2026-11-22T12:52:55.829Z"
TIME = datetime(2026, 11, 22, 12, 52, 55, 829000, UTC).timestamp()


@pytest.mark.parametrize(
    ("logged", "shown"),
    [
        (
            "core: 401 to REGISTER: wrong password for alice@ims.example private_id=alice@ims.example call_id=a1",
            "core: 401 to REGISTER: wrong password for alice@ims.example private_id=alice@ims.example",
        ),
        (
            "core: no third-party REGISTER: criterion 0, group 1: Contact has no +g.poc.talkburst "
            'user=sip:alice@ims.example kind="initial registration" call_id=781dbde2cd8e958f',
            "core: no third-party REGISTER: criterion 0, group 1: Contact has no +g.poc.talkburst "
            'kind="initial registration"',
        ),
        ("core: 403 to SUBSCRIBE: 127.0.0.2 is not in trust.peers call_id=a", None),
        ("server: third-party REGISTER refused: the peer is not in trust.peers peer=127.0.0.2", None),
        ('server: PUBLISH refused status=412 why="Conditional \\" Request Failed" event=poc-settings', None),
        ("client: not registered: sip:ims.example does not answer, trying again seconds=2", None),
        (
            "server: XDM documents not fetched user=sip:a@ims.example why=404",
            "server: XDM documents not fetched why=404",
        ),
    ],
)
def test_what_a_daemon_refuses_or_cannot_do_is_shown_with_its_reason(logged, shown):
    remark = remark_of(f"{AT} info    {logged}")
    assert remark is not None
    assert remark.at == pytest.approx(TIME)
    assert remark.text == (shown if shown is not None else logged.removesuffix(" call_id=a"))


@pytest.mark.parametrize(
    "logged",
    [
        "info    core: 401 to REGISTER: no credentials private_id=alice@ims.example call_id=a",
        "info    core: 401 to REGISTER: no answer to a challenge yet private_id=alice@ims.example",
        "info    core: 200 to REGISTER: initial registration private_id=alice@ims.example",
        "info    core: third-party REGISTER to sip:poc.ims.example: criterion 0: method is REGISTER",
        "info    server: third-party REGISTER accepted user=sip:alice@ims.example",
        "info    server: ready addresses=udp:127.0.0.1:5070",
    ],
)
def test_what_goes_its_usual_way_is_not(logged):
    assert remark_of(f"{AT} {logged}") is None


def test_warnings_are_shown_whatever_they_say():
    assert remark_of(f"{AT} warning core: criterion skipped where=alice.xml") == Remark(
        pytest.approx(TIME), "core: criterion skipped where=alice.xml"
    )


def test_the_last_words_of_a_daemon_have_no_time():
    line = "client: registration refused by sip:ims.example: 403 Forbidden"
    assert remark_of(line) == Remark(None, line)
    assert remark_of("Traceback (most recent call last):") is None


def test_lines_are_told_once_each_and_only_when_they_are_whole(tmp_path):
    log, told = tmp_path / "core.log", []
    remarks = Remarks({"core": log}, lambda at, text: told.append(text))
    remarks.look()  # there is no log yet
    with log.open("w") as out:
        out.write(f"{AT} info    core: 404 to REGISTER: one\n{AT} info    core: 404 to REG")
        out.flush()
        remarks.look()
        assert told == ["core: 404 to REGISTER: one"]
        out.write("ISTER: two\n")
        out.flush()
        remarks.look()
        remarks.look()
    assert told == ["core: 404 to REGISTER: one", "core: 404 to REGISTER: two"]
