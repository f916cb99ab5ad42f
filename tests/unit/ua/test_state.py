"""What the client keeps between runs."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from talkburst.store import InUseError, StoreError
from talkburst.ua.state import ClientState


@contextlib.contextmanager
def run(directory: Path, private_id: str, instance: str = "") -> Iterator[ClientState]:
    """What one run of the client has."""
    state = ClientState(directory, private_id, instance)
    yield state
    state.close()


def test_instance_id_lasts(tmp_path):
    with run(tmp_path, "alice@ims.example") as first:
        assert first.instance.startswith("urn:uuid:")
    with run(tmp_path, "alice@ims.example") as second:
        assert second.instance == first.instance


def test_each_private_id_is_another_device(tmp_path):
    with run(tmp_path, "alice@ims.example") as one, run(tmp_path, "alice-2@ims.example") as other:
        assert one.instance != other.instance


def test_one_device_is_one_process(tmp_path):
    with (
        run(tmp_path, "a@x"),
        pytest.raises(InUseError, match=r"cannot use .*client-a@x\.json: process \d+ keeps its state there"),
    ):
        ClientState(tmp_path, "a@x")


def test_entity_tag_is_kept_for_its_address(tmp_path):
    with run(tmp_path, "a@x") as state:
        state.keep_etag("sip:a@x", "tag1")
    with run(tmp_path, "a@x") as state:
        assert state.etag("sip:a@x") == "tag1"
        assert state.etag("tel:1") is None
        state.keep_etag("sip:a@x", None)
    with run(tmp_path, "a@x") as state:
        assert state.etag("sip:a@x") is None


def test_given_instance_id_goes_before_the_kept_one_and_forgets_its_tags(tmp_path):
    with run(tmp_path, "a@x") as state:
        state.keep_etag("sip:a@x", "tag1")
    with run(tmp_path, "a@x", "urn:uuid:given") as state:
        assert (state.instance, state.etag("sip:a@x")) == ("urn:uuid:given", None)


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"instance": 7, "etags": []}', '{"etags": {"sip:a@x": 7}}', "\xff"])
def test_damaged_file_is_named_and_left_as_it_is(tmp_path, kept):
    file = tmp_path / "client-a@x.json"
    file.write_text(kept, "latin-1")
    with pytest.raises(StoreError, match=rf"cannot use {re.escape(str(file))}, it is damaged: "):
        ClientState(tmp_path, "a@x")
    assert file.read_text("latin-1") == kept
    file.unlink()
    with run(tmp_path, "a@x"):
        pass  # the file was not left locked


def test_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "client-a@x.json").mkdir()
    with pytest.raises(StoreError, match=r"cannot read .*client-a@x\.json: Is a directory"):
        ClientState(tmp_path, "a@x")


def test_entity_tags_that_make_no_sense_are_none(tmp_path):
    (tmp_path / "client-a@x.json").write_text('{"instance": "urn:uuid:1", "etags": {"sip:a@x": 7}}')
    with run(tmp_path, "a@x") as state:
        assert (state.instance, state.etag("sip:a@x")) == ("urn:uuid:1", None)


def test_private_id_cannot_lead_out_of_the_directory(tmp_path):
    with run(tmp_path, "../../etc/passwd"):
        assert sorted(each.name for each in tmp_path.iterdir()) == [
            "client-.._.._etc_passwd.json",
            "client-.._.._etc_passwd.json-lock",
        ]
