"""The loaders of folders and single files."""

import os
import socket

import pytest

from bot.document import Found, Skipped, Source
from bot.errors import DocumentError, SourceError
from bot.indexing import builtin
from bot.plugins import Plugins


async def load(type_, **options):
    """Load through the built-in plugin's own factory, as the core does."""
    plugins = Plugins()
    plugins.register(builtin, "builtin")
    factory = plugins.component("loader", type_)
    settings = factory.settings.model_validate(options)
    source = Source(name="s", type=type_, settings=settings, readers=frozenset())
    loader = factory.make("s", settings, None)
    plugins.register(loader, "loader:s")
    return [item async for item in loader.bot_load(source=source)]


async def keys(path, **options):
    return [item.key for item in await load("folder", path=path, **options)]


def write(root, *names, text="text"):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def skipped(items):
    return {item.where: item.reason for item in items if isinstance(item, Skipped)}


async def test_a_folder_gives_its_documents_by_path_in_a_fixed_order(tmp_path):
    write(tmp_path, "z.md", "b/two.html", "a.TXT", "b/one.rst", "b/c/deep.markdown", "pic.png")
    assert await keys(tmp_path) == [
        "a.TXT", "z.md", "b/one.rst", "b/two.html", "b/c/deep.markdown",
    ]  # fmt: skip


async def test_what_is_hidden_or_installed_is_left_out(tmp_path):
    write(tmp_path, ".secret.md", ".git/x.md", "node_modules/p/readme.md", "env/lib/x.md", "ok.md")
    write(tmp_path, "env/pyvenv.cfg")
    assert await keys(tmp_path) == ["ok.md"]
    assert await keys(tmp_path, hidden=True) == [".secret.md", "ok.md", ".git/x.md"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"include": ["*.py"]}, ["b.py", "src/c.py"]),
        ({"include": ["src/*"]}, ["src/c.py", "src/d.md"]),
        ({"include": ["/*.md"]}, ["a.md"]),
        ({"include": ["**/*.md"], "exclude": ["src"]}, ["a.md"]),
        ({"include": ["src/**"]}, ["src/c.py", "src/d.md", "src/in/e.md"]),
        ({"include": ["[a-c].*"]}, ["a.md", "b.py", "src/c.py"]),
        ({"include": ["[!a-c].?d"], "exclude": ["src/**/e.md"]}, ["src/d.md"]),
        ({"include": []}, []),
    ],
)
async def test_patterns_choose(tmp_path, options, expected):
    write(tmp_path, "a.md", "b.py", "src/c.py", "src/d.md", "src/in/e.md")
    assert await keys(tmp_path, **options) == expected


async def test_links_out_of_the_folder_are_not_followed_and_loops_do_not_hang(tmp_path):
    root, outside = tmp_path / "docs", tmp_path / "private"
    write(root, "real.md")
    write(outside, "secret.md")
    (root / "file.md").symlink_to(outside / "secret.md")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    (root / "self.md").symlink_to(root / "self.md")
    (root / "nowhere.md").symlink_to(root / "gone.md")
    (root / "alias.md").symlink_to("real.md")
    items = await load("folder", path=root)
    assert [item.key for item in items if isinstance(item, Found)] == ["alias.md", "real.md"]
    assert skipped(items) == {
        "file.md": "is a link that leads out of the folder",
        "folder": "is a link that leads out of the folder",
        "self.md": "is a link that leads nowhere",
        "nowhere.md": "is a link that leads nowhere",
        "loop": "is a link to a folder around it",
    }


async def test_a_file_that_becomes_a_link_out_of_the_folder_is_not_read(tmp_path):
    write(tmp_path, "docs/a.md", "secret.md")
    (item,) = await load("folder", path=tmp_path / "docs")
    (tmp_path / "docs/a.md").unlink()
    (tmp_path / "docs/a.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(DocumentError, match="leads out"):
        await item.read()


async def test_a_file_that_becomes_a_pipe_does_not_hold_up_the_sync(tmp_path):
    write(tmp_path, "a.md")
    (item,) = await load("folder", path=tmp_path)
    (tmp_path / "a.md").unlink()
    os.mkfifo(tmp_path / "a.md")
    with pytest.raises(DocumentError, match="no regular file"):
        await item.read()


@pytest.mark.parametrize("name", ["socket.md", "/dev/zero"])
async def test_a_source_of_one_file_is_no_socket_and_no_device(tmp_path, name):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket.md"))
        with pytest.raises(SourceError, match="is no file"):
            await load("file", path=tmp_path / name)


async def test_names_with_line_breaks_and_escape_codes_are_read_and_linked(tmp_path):
    write(tmp_path, "a\nb\x1b[31m.md")
    (item,) = await load("folder", path=tmp_path)
    assert (await item.read()).uri.endswith("/a%0Ab%1B%5B31m.md")


async def test_the_folder_itself_may_be_a_link(tmp_path):
    write(tmp_path, "real/a.md")
    (tmp_path / "link").symlink_to("real")
    (item,) = await load("folder", path=tmp_path / "link")
    assert (await item.read()).text == "text"


async def test_what_is_no_document_is_reported(tmp_path):
    write(tmp_path, "empty.md", text="")
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / os.fsdecode(b"caf\xe9.md")).write_text("x")
    items = await load("folder", path=tmp_path)
    assert skipped(items) == {
        "empty.md": "is empty",
        "pipe.md": "is no regular file",
        "caf?.md": "has a path that is not UTF-8, or too long",
    }
    assert all(item.key == "" for item in items)  # nothing of them stays in the index


async def test_a_document_has_a_title_a_link_and_its_text(tmp_path):
    write(tmp_path, "ä b/read me.md", text="# Hello *you*\n\nText.\n")
    (local,) = await load("folder", path=tmp_path)
    document = await local.read()
    assert (document.key, document.title) == ("ä b/read me.md", "Hello you")
    assert document.uri == (tmp_path / "ä b/read me.md").as_uri()
    (public,) = await load("folder", path=tmp_path, url="https://docs.example/x")
    assert (await public.read()).uri == "https://docs.example/x/%C3%A4%20b/read%20me.md"
    assert public.fingerprint != local.fingerprint


async def test_a_fingerprint_changes_with_the_file_and_only_then(tmp_path):
    write(tmp_path, "a.md", text="one")
    (before,) = await load("folder", path=tmp_path)
    assert (await load("folder", path=tmp_path))[0].fingerprint == before.fingerprint
    times = os.stat(tmp_path / "a.md")
    write(tmp_path, "new", text="two")
    os.utime(tmp_path / "new", ns=(times.st_atime_ns, times.st_mtime_ns))
    (tmp_path / "new").rename(tmp_path / "a.md")
    (after,) = await load("folder", path=tmp_path)
    assert after.fingerprint != before.fingerprint


async def test_a_file_that_cannot_be_read_says_why(tmp_path):
    write(tmp_path, "gone.md", "big.md", "folder.md", text="longer")
    big, folder, gone = await load("folder", path=tmp_path, max_bytes=5)
    (tmp_path / "gone.md").unlink()
    (tmp_path / "folder.md").unlink()
    (tmp_path / "folder.md").mkdir()
    for item, why in ((big, "more than 5 bytes"), (gone, "no such file"), (folder, "directory")):
        with pytest.raises(DocumentError, match=why):
            await item.read()


async def test_a_folder_that_cannot_be_listed_is_an_error_not_an_empty_source(tmp_path):
    write(tmp_path, "a.md")
    with pytest.raises(SourceError, match="no such file"):
        await load("folder", path=tmp_path / "missing")
    with pytest.raises(SourceError, match="is no folder"):
        await load("folder", path=tmp_path / "a.md")


async def test_a_part_that_cannot_be_listed_ends_the_walk_with_an_error(tmp_path):
    """A path longer than the system takes is unreadable for root, too."""
    write(tmp_path, "a.md", "zz/b.md")
    deep = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=deep)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    seen = []
    with pytest.raises(SourceError, match="nothing was deleted"):
        await _collect(tmp_path, seen)
    assert seen == ["a.md", "zz/b.md"]


async def _collect(path, seen):
    from bot.indexing.files import FolderLoader

    settings = builtin.FolderSettings(path=path)
    source = Source(name="s", type="folder", settings=settings, readers=frozenset())
    async for item in FolderLoader(settings).bot_load(source=source):
        seen.append(item.key)


async def test_a_file_is_a_source_of_one_document(tmp_path):
    write(tmp_path, "guide.md", text="# Guide\n")
    (item,) = await load("file", path=tmp_path / "guide.md", url="https://x.example/guide")
    document = await item.read()
    assert (item.key, document.uri, document.title) == (
        "guide.md", "https://x.example/guide", "Guide",
    )  # fmt: skip
    with pytest.raises(SourceError, match="no such file"):
        await load("file", path=tmp_path / "missing.md")
    with pytest.raises(SourceError, match="is no file"):
        await load("file", path=tmp_path)


def test_the_type_of_a_path_is_guessed(tmp_path):
    assert builtin.guess_type(tmp_path) == "folder"
    assert builtin.guess_type(tmp_path / "a.JSONL") == "jsonl"
    assert builtin.guess_type(tmp_path / "a.html") == "file"
