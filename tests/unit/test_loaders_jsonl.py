"""The loader of JSONL files."""

import json
import os
from pathlib import Path

import pytest

from bot.document import Found, Skipped, Source
from bot.errors import DocumentError, SourceError
from bot.indexing.builtin import JsonlSettings
from bot.indexing.jsonl import JsonlLoader, parse, split


async def load(path, **options):
    settings = JsonlSettings(path=path, **options)
    source = Source(name="s", type="jsonl", settings=settings, readers=frozenset())
    return [item async for item in JsonlLoader(settings).bot_load(source=source)]


async def load_bytes(tmp_path, data, **options):
    path = tmp_path / "docs.jsonl"
    path.write_bytes(data)
    return await load(path, **options)


async def test_a_line_is_a_document_with_all_its_keys(tmp_path):
    line = {
        "_id": "d1", "title": "Leave", "text": "Thirty days.", "url": "https://x.example/1",
        "readers": ["group:hr", "Ann@Example.org"], "year": 2024, "tags": ["a", {"b": None}],
    }  # fmt: skip
    (item,) = await load_bytes(tmp_path, json.dumps(line).encode())
    document = await item.read()
    assert (document.key, document.passage_id) == ("d1", "d1")
    assert (document.title, document.text) == ("Leave", "Thirty days.")
    assert document.uri == "https://x.example/1"
    assert document.readers == {"group:hr", "email:ann@example.org"}
    assert document.metadata == {"year": 2024, "tags": ["a", {"b": None}]}


async def test_what_a_line_may_leave_out(tmp_path):
    data = b'{"_id": 7, "title": "Only a title", "text": "", "url": null, "readers": null}'
    (item,) = await load_bytes(tmp_path, data)
    document = await item.read()
    assert (document.key, document.text, document.readers) == ("7", "Only a title", None)
    assert document.uri == (tmp_path / "docs.jsonl").as_uri() + "#7"
    (item,) = await load_bytes(tmp_path, b'{"_id": "a b", "text": "x"}', url="https://x.example/")
    assert (await item.read()).uri == "https://x.example/a%20b"


async def test_a_byte_order_mark_carriage_returns_and_blank_lines_are_no_trouble(tmp_path):
    data = b'\xef\xbb\xbf{"_id": "1", "text": "a"}\r\n\r\n  \n{"_id": "2", "text": "b\\u2028c"}'
    items = await load_bytes(tmp_path, data)
    assert [(await item.read()).text for item in items] == ["a", "b\u2028c"]


BAD = [
    ('{"_id": "k", "text": "cut of', "is not JSON", "k"),
    ('{"_id": "k", "text": NaN}', "NaN is no JSON value", "k"),
    ('{"_id": "k", "text": "a", "n": 1e999}', "too large a number", "k"),
    ('["_id"]', "is no JSON object", ""),
    ('{"text": "a"}', "has no `_id`", ""),
    ('{"_id": true, "text": "a"}', "has no `_id`", ""),
    ('{"_id": "a\\u0000", "text": "a"}', "cannot be stored", ""),
    ('{"_id": "k\\ud800", "text": "a"}', "cannot be stored", ""),
    (json.dumps({"_id": "k" * 3000, "text": "a"}), "cannot be stored", ""),
    ('{"_id": "k", "text": 5}', "`text` that is no string", "k"),
    ('{"_id": "k", "text": "a", "title": []}', "`title` that is no string", "k"),
    ('{"_id": "k"}', "neither a `text` nor a `title`", ""),
    ('{"_id": "k", "text": "a", "readers": "bob"}', "'bob' is nobody", ""),
    ('{"_id": "k", "text": "a", "readers": []}', "neither a string nor a list", ""),
    ('{"_id": "k", "text": "a", "readers": [1]}', "neither a string nor a list", ""),
    ('{"_id": "k", "text": "a", "x": ' + "[" * 50 + "]" * 50 + "}", "nested too deeply", "k"),
    ('{"_id": "k", "x": ' + "[" * 100_000, "is not JSON", "k"),
]


@pytest.mark.parametrize(("line", "why", "key"), BAD)
async def test_a_bad_line_is_told_with_its_place_and_the_rest_goes_on(tmp_path, line, why, key):
    """Its key keeps what was indexed before, unless nobody knows who may read it."""
    data = f'{{"_id": "1", "text": "a"}}\n{line}\n{{"_id": "2", "text": "b"}}\n'
    first, bad, last = await load_bytes(tmp_path, data.encode())
    assert (first.key, last.key) == ("1", "2")
    assert isinstance(bad, Skipped)
    assert bad.where == "docs.jsonl:2"
    assert why in bad.reason
    assert bad.key == key


async def test_a_line_that_is_not_utf_8_is_told(tmp_path):
    (bad,) = await load_bytes(tmp_path, b'{"_id": "k", "text": "caf\xe9"}')
    assert (bad.reason, bad.key) == ("is not UTF-8", "k")


async def test_a_line_that_is_too_long_is_told_and_passed_over(tmp_path):
    long = b'{"_id": "long", "text": "' + b"x" * 3_000_000 + b'"}'
    items = await load_bytes(
        tmp_path, long + b'\n{"_id": "2", "text": "b"}\n' + long, max_line_bytes=1000
    )
    assert [(item.key, type(item)) for item in items] == [
        ("long", Skipped), ("2", Found), ("long", Skipped),
    ]  # fmt: skip
    assert [item.where for item in items if isinstance(item, Skipped)] == [
        "docs.jsonl:1", "docs.jsonl:3",
    ]  # fmt: skip
    assert (await items[1].read()).text == "b"


async def test_what_postgresql_cannot_store_is_taken_out_of_the_metadata(tmp_path):
    (item,) = await load_bytes(tmp_path, b'{"_id": 1, "text": "a", "m": {"k\\u0000": ["\\ud800"]}}')
    assert (await item.read()).metadata == {"m": {"k": ["?"]}}


async def test_a_fingerprint_changes_with_the_line_and_not_with_its_place(tmp_path):
    one, two = b'{"_id": "1", "text": "a"}\n', b'{"_id": "2", "text": "b"}\n'
    first, second = await load_bytes(tmp_path, one + two)
    again = {item.key: item.fingerprint for item in await load_bytes(tmp_path, two + one)}
    assert again == {"1": first.fingerprint, "2": second.fingerprint}
    (changed,) = await load_bytes(tmp_path, b'{"_id": "1", "text": "c"}\n')
    assert changed.fingerprint != first.fingerprint


async def test_a_file_that_changes_between_listing_and_reading_is_noticed(tmp_path):
    (item,) = await load_bytes(tmp_path, b'{"_id": "1", "text": "a"}\n')
    (tmp_path / "docs.jsonl").write_bytes(b'{"_id": "2", "text": "b"}\n')
    with pytest.raises(DocumentError, match="changed"):
        await item.read()
    (tmp_path / "docs.jsonl").unlink()
    with pytest.raises(DocumentError, match="cannot be read"):
        await item.read()


async def test_a_missing_file_is_an_error_not_an_empty_source(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        await load(tmp_path / "missing.jsonl")
    with pytest.raises(SourceError, match="directory"):
        await load(tmp_path)


async def test_a_pipe_and_a_device_are_no_jsonl_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in (tmp_path / "pipe.jsonl", Path("/dev/zero")):
        with pytest.raises(SourceError, match="no regular file"):
            await load(path)


def test_what_is_written_while_the_file_is_read_is_for_the_next_sync(tmp_path):
    line = b'{"_id": "1", "text": "a"}\n'
    path = tmp_path / "docs.jsonl"
    path.write_bytes(line * 3)
    with path.open("rb") as file, path.open("ab") as end:
        read = 0
        for read, _ in enumerate(split(file, 1000), 1):  # noqa: B007 - counted behind the loop
            end.write(line * 2)
            end.flush()
    assert read == 3


def test_the_last_of_two_equal_keys_counts_as_in_json():
    assert parse(b'{"_id": "1", "text": "a", "text": "b"}').text == "b"
