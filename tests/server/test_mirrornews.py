"""What a sync tells becomes events: a milestone once, a complaint once, progress in quarters."""

import pytest

from pxed.assets.mirror.events import Failed, Progress, Published, Removed, Resolved, Retrying, UpToDate, Warned
from pxed.events import Level
from pxed.server.mirrornews import Arriving, MirrorNews

IMAGES = ("flatcar",)
VERSION = ("stable", "amd64", "4593.2.5")
PUBLISHED = Published(IMAGES, *VERSION, 8, 408_000_000, "52F145DFD00BBDCD928CBB5A32DA80F91EF52974")
UP_TO_DATE = UpToDate(IMAGES, *VERSION)


class Heard:
    """A MirrorNews and the lines it led to."""

    def __init__(self):
        self.lines = []
        self.news = MirrorNews(lambda event: self.lines.append((event.level.name, event.text, dict(event.data))))

    def sync(self, *events):
        for event in events:
            self.news.hear(event)
        self.news.ended()
        said, self.lines = self.lines, []
        return [(level, text) for level, text, _ in said if level != Level.DEBUG.name]


@pytest.fixture
def heard():
    return Heard()


def failed(reason, serving="4593.2.4"):
    return Failed("flatcar", "4593.2.5", reason, serving)


def progress(file, done, total):
    return Progress(IMAGES, *VERSION, file, done, total)


def test_a_published_version_is_a_milestone(heard):
    text = "image flatcar: 4593.2.5 published: 408.0 MB in 8 files, signed by 52F145DFD00BBDCD928CBB5A32DA80F91EF52974"
    assert heard.sync(Resolved("flatcar", *VERSION, "http://x"), PUBLISHED) == [("INFO", text)]


def test_nothing_new_is_no_news(heard):
    assert heard.sync(Resolved("flatcar", *VERSION, "http://x"), UP_TO_DATE) == []


def test_an_event_carries_image_and_version(heard):
    heard.news.hear(PUBLISHED)
    assert heard.lines[0][2] == {"image": "flatcar", "version": "4593.2.5"}


def test_a_failure_says_what_stays_and_is_said_once_while_it_stays_the_same(heard):
    text = "image flatcar: 4593.2.5 was not mirrored: broke off after 5 bytes; 4593.2.4 goes on being served"
    assert heard.sync(failed("broke off after 5 bytes")) == [("WARNING", text)]
    assert heard.sync(failed("broke off after 7 bytes")) == []
    assert [level for level, _ in heard.sync(failed("the signature is wrong"))] == ["WARNING"]


def test_a_failure_with_nothing_to_boot_says_so(heard):
    assert heard.sync(failed("404", serving=""))[0][1].endswith("404; it has nothing to boot yet")


def test_a_failure_that_comes_again_after_a_success_is_said_again(heard):
    heard.sync(failed("404"))
    assert heard.sync(UP_TO_DATE) == [("INFO", "image flatcar: 4593.2.5 is mirrored and verified already")]
    assert [level for level, _ in heard.sync(failed("404"))] == ["WARNING"]


def test_a_warning_that_comes_with_every_sync_is_said_once(heard):
    warned = Warned("flatcar", "current went back to 4593.2.3")
    assert heard.sync(warned, UP_TO_DATE) == [("WARNING", "image flatcar: current went back to 4593.2.3")]
    assert heard.sync(warned, UP_TO_DATE) == []


def test_what_is_removed_is_told(heard):
    assert heard.sync(Removed(*VERSION, 408_000_000)) == [
        ("INFO", "mirror: stable amd64 4593.2.5 removed from the mirror, 408.0 MB")
    ]


def test_a_retry_is_no_news_yet(heard):
    assert heard.sync(Retrying(IMAGES, "4593.2.5", "kernel", "reset", 2.0)) == []


def test_progress_counts_all_files_of_the_version_and_ends_with_the_sync(heard):
    heard.news.hear(progress("kernel", 100, 100))
    heard.news.hear(progress("initrd", 50, 200))
    assert heard.news.arriving == {"flatcar": Arriving("4593.2.5", 0.5)}
    heard.news.ended()
    assert heard.news.arriving == {}


def test_progress_of_unknown_length_is_none(heard):
    heard.news.hear(progress("kernel", 100, 0))
    assert heard.news.arriving == {"flatcar": Arriving("4593.2.5", 0.0)}


def test_progress_is_told_in_quarters(heard):
    for done in range(0, 101, 5):
        heard.news.hear(progress("kernel", done, 100))
    percents = [text.rpartition(", ")[2] for _, text, _ in heard.lines]
    assert percents == ["0%", "25%", "50%", "75%", "100%"]


def test_the_beginning_of_a_download_is_in_the_log_but_not_each_new_attempt(heard):
    first = [("INFO", "image flatcar: 4593.2.5 is arriving, 0%")]
    assert heard.sync(progress("kernel", 0, 100), progress("kernel", 99, 100), failed("404"))[:1] == first
    assert heard.sync(progress("kernel", 0, 100), failed("404")) == []


def test_what_is_not_there_is_not_a_hundred_percent(heard):
    heard.news.hear(progress("kernel", 9_999, 10_000))
    assert heard.lines[-1][1].endswith("is arriving, 99%")


@pytest.mark.parametrize("end", [PUBLISHED, UP_TO_DATE, failed("404")], ids=["published", "up to date", "failed"])
def test_a_version_that_is_done_arrives_no_more(heard, end):
    heard.news.hear(progress("kernel", 1, 2))
    heard.news.hear(end)
    assert heard.news.arriving == {}
