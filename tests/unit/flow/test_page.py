"""Reports as an HTML page: complete in itself, failures first, nothing of a packet in it that is not escaped."""

from html.parser import HTMLParser

import pytest

from talkburst.flow.page import page

EMPTY = {"meta", "line", "path", "rect", "circle", "br"}


class Reader(HTMLParser):
    """Elements, attributes and text of a page; every element has to be closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *each) for each in attrs]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *each) for each in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_it_shows_32_rows_and_an_arrow_for_each_step_but_28(right, judge):
    read = Reader(page([judge(right.frames())]))
    assert read.tags.count("tr") == 33
    assert read.tags.count("path") == 31
    assert "pass: 32 of 32 steps passed in 0.370 s" in read.words
    assert "sip:alice@ims.example, sip:alice@192.0.2.10:5090, Call-ID reg-a" in read.words


def test_failures_stand_before_the_ladder_and_the_table(right, judge):
    text = page([judge(right.without(9).frames())])
    words = "".join(Reader(text).words)
    first = words.index("step 9 (I>S NOTIFY Event: reg), first failure: ")
    assert first < words.index("Ladder") < words.index("Verdicts")
    assert "✗ 9 NOTIFY Event: reg" in words
    assert text.count('class="bad missing"') == 3


def test_several_flows_stand_in_sections_of_their_own(right, judge):
    text = page([judge(right.frames()), judge(right.without(32).frames())])
    assert Reader(text).tags.count("section") == 2
    assert "<title>Talkburst: fail, pass, 2 flows</title>" in text


def test_it_loads_nothing(right, judge):
    text = page([judge(right.frames())])
    read = Reader(text)
    assert not {"script", "link", "img", "iframe", "object"} & set(read.tags)
    assert not [each for each in read.attributes if each[1] in ("src", "href", "srcset", "style")]
    assert "url(" not in text
    assert "@import" not in text


@pytest.mark.parametrize("odd", ['<script>alert("1")</script>', "\"'><svg onload=x>", "\x00\x1b[2J", "\udc80"])
def test_what_packets_held_is_escaped(right, judge, odd):
    plain = page([judge(right.frames())])
    report = judge(right.frames())
    report.identity = report.contact = report.call_id = report.steps[3].message = report.steps[4].why = odd
    report.steps[2].verdict, report.steps[2].message = "fail", f"SIP/2.0 {odd}"
    report.steps[5].notes.append(odd)
    text = page([report])
    text.encode("utf-8")
    read = Reader(text)
    assert set(read.tags) <= set(Reader(plain).tags) | {"div", "p", "br", "span"}
    assert {name for _, name, _ in read.attributes} <= {name for _, name, _ in Reader(plain).attributes}
    assert not [char for char in text if not char.isprintable() and char != "\n"]
