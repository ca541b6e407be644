"""What becomes of e-mail: subject, sender, date and body; broken messages too."""

from email.message import EmailMessage

import pytest
from papers import read

from bot.errors import DocumentError


def mail(subject, html=""):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "ann@example.com",
        "bo@example.com",
        subject,
    )
    message["Date"] = "Mon, 05 Jan 2026 10:00:00 +0000"
    if html:
        message.set_content(html, subtype="html")
    else:
        message.set_content("The code is 42.\n# no heading\n")
        message.add_attachment(b"x", maintype="image", subtype="png", filename="door.png")
    return message


def test_a_message_has_subject_sender_date_and_body():
    document = read("a.eml", mail("Door code").as_bytes())
    assert document.title == "Door code"
    assert document.metadata == {"from": "ann@example.com", "date": "2026-01-05"}
    assert "From: ann@example.com\nTo: bo@example.com\n" in document.text
    assert "Attachments: door.png\n\nThe code is 42.\n\\# no heading\n" in document.text
    assert "**42**" in read("a.eml", mail("x", "<p>It is <b>42</b>.</p>").as_bytes()).text
    with pytest.raises(DocumentError, match="no e-mail"):
        read("a.eml", "\n")


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("utf-8", "caf\xe9".encode("latin-1")),
        ("nope-8", "caf\xe9".encode()),
        ("us-ascii", "caf\xe9".encode("cp1252")),
        ("iso-8859-1", "caf\xe9".encode("cp1252")),
        ('"gb2312', "caf\xe9".encode("gb18030")),
        ("", "caf\xe9".encode()),
    ],
)
def test_a_body_is_read_although_its_charset_is_wrong(charset, body):
    head = b"Subject: x\nContent-Type: text/plain; charset=" + charset.encode() + b"\n\n"
    assert read("a.eml", head + body).text == "caf\xe9\n"


def test_a_message_whose_text_is_empty_has_its_html_and_a_forwarded_one_is_read():
    outer = EmailMessage()
    outer["Subject"] = "Rules"
    outer.set_content("\n")
    outer.add_alternative("<p>Only <b>here</b>.</p>", subtype="html")
    outer.add_attachment(mail("Door code"))
    assert read("a.eml", outer.as_bytes()).text == (
        "Attachments: door.png\n\nOnly **here**.\n\nForwarded:\nSubject: Door code\n"
        "From: ann@example.com\nDate: Mon, 05 Jan 2026 10:00:00 +0000\n\n"
        "The code is 42.\n\\# no heading\n"
    )


def test_of_many_attachments_some_are_named_and_a_title_has_an_end():
    message = mail("Door " * 1000)
    for number in range(300):
        message.add_attachment(b"x", maintype="image", subtype="png", filename=f"{number}.png")
    document = read("a.eml", message.as_bytes())
    assert "door.png, 0.png, 1.png" in document.text
    assert "18.png and 281 more\n" in document.text
    assert len(document.title) == 300


def test_a_mailbox_of_broken_messages_is_read():
    box = (
        b"From a Mon Jan  5 10:00:00 2026\nFrom: =?utf-8?B?broken\nSubject: =?nope-9?Q?=FF?=\n"
        b"Date: never\nContent-Type: multipart/mixed; boundary=X\n\n--X\nContent-Type: text/plain\n"
        b"Content-Transfer-Encoding: base64\n\nSGVsbG8=\n\n"
        b"From b Mon Jan  5 10:00:00 2026\nno header\n\n"
        b"From c Mon Jan  5 10:00:00 2026\nSubject: Three\n\n>From here on\n>>From there\n"
        b"> From me\n"
    )
    text = read("a.mbox", box).text
    assert text.count("## ") == 3
    assert "Hello" in text
    assert text.endswith("## Three\n\nFrom here on\n>From there\n> From me\n")


def test_a_mailbox_has_a_section_for_each_message():
    box = b"".join(
        b"From ann Mon Jan  5 10:00:00 2026\n" + mail(subject).as_bytes() + b"\n"
        for subject in ("One", "Two")
    )
    text = read("a.mbox", box).text
    assert [line for line in text.splitlines() if line.startswith("##")] == ["## One", "## Two"]
    with pytest.raises(DocumentError, match="no mailbox"):
        read("a.mbox", "hello")
