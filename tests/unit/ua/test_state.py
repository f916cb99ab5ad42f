"""What the client keeps between runs."""

import json

import pytest

from talkburst.ua.state import ClientState


def test_instance_id_lasts(tmp_path):
    first = ClientState(tmp_path, "alice@ims.example").instance
    assert first.startswith("urn:uuid:")
    assert ClientState(tmp_path, "alice@ims.example").instance == first


def test_each_private_id_is_another_device(tmp_path):
    assert ClientState(tmp_path, "alice@ims.example").instance != ClientState(tmp_path, "alice-2@ims.example").instance


def test_entity_tag_is_kept_for_its_address(tmp_path):
    ClientState(tmp_path, "a@x").keep_etag("sip:a@x", "tag1")
    state = ClientState(tmp_path, "a@x")
    assert state.etag("sip:a@x") == "tag1"
    assert state.etag("tel:1") is None
    state.keep_etag("sip:a@x", None)
    assert ClientState(tmp_path, "a@x").etag("sip:a@x") is None


def test_given_instance_id_goes_before_the_kept_one_and_forgets_its_tags(tmp_path):
    ClientState(tmp_path, "a@x").keep_etag("sip:a@x", "tag1")
    state = ClientState(tmp_path, "a@x", "urn:uuid:given")
    assert (state.instance, state.etag("sip:a@x")) == ("urn:uuid:given", None)


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"instance": 7, "etags": []}', '{"etags": {"sip:a@x": 7}}'])
def test_file_that_says_nothing_useful_is_made_anew(tmp_path, kept):
    ClientState(tmp_path, "a@x")
    (file,) = tmp_path.iterdir()
    file.write_text(kept)
    state = ClientState(tmp_path, "a@x")
    assert state.etag("sip:a@x") is None
    assert json.loads(file.read_text())["instance"] == state.instance


def test_private_id_cannot_lead_out_of_the_directory(tmp_path):
    ClientState(tmp_path, "../../etc/passwd")
    assert len(list(tmp_path.iterdir())) == 1
