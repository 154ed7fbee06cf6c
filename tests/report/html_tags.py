"""The tags of a page, for tests."""

from html.parser import HTMLParser


class _Tags(HTMLParser):
    """Collects tags and checks that what is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags(text):
    parser = _Tags()
    parser.feed(text)
    assert parser.open == []
    return parser.seen
