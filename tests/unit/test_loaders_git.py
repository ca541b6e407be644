"""Git sources: repositories on this machine and behind a server on loopback."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import ValidationError

from bot.document import Skipped, Source
from bot.errors import DocumentError, SourceError
from bot.indexing import repositories
from bot.indexing.builtin import GitSettings
from bot.indexing.git import GitLoader


class Repository:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self("init", "-q", "-b", "main")

    def __call__(self, *arguments, stdin=None):
        who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
        command = ["git", *who, "-C", str(self.folder), *arguments]
        out = subprocess.run(command, check=True, capture_output=True, input=stdin).stdout
        return out.decode().strip()

    def commit(self, **files):
        for name, text in files.items():
            path = self.folder / name.replace("__", "/").replace("_md", ".md")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self("add", "-A")
        self("commit", "-q", "-m", "a change")


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "repository")
    made.commit(README_md="# Read me\n", docs__guide_md="# Guide\n\nHow to.\n", docs__code_py="x")
    return made


@pytest.fixture
def load(tmp_path, repository):
    """Load a source to its end: documents and fingerprints by key, what was skipped by place."""

    async def run(**settings):
        settings = GitSettings(**{"repository": str(repository.folder), **settings})
        loader = GitLoader(settings, tmp_path / "cache")
        source = Source(name="g", type="git", settings=settings, readers=frozenset({"everyone"}))
        found, skipped = {}, {}
        async for item in loader.bot_load(source):
            if isinstance(item, Skipped):
                skipped[item.where] = item.reason
            else:
                found[item.key] = (await item.read(), item.fingerprint)
        return found, skipped

    return run


@pytest.fixture
def server(repository):
    """git's own smart HTTP server; yields it with what it was asked and what it redirects."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            if target := self.server.redirects.get(self.path.partition("?")[0]):
                self.send_response(302)
                self.send_header("Location", target)
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            size = int(self.headers.get("Content-Length") or 0)
            environ = {
                **os.environ,
                "GIT_PROJECT_ROOT": str(repository.folder.parent),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(size),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            out = subprocess.run(
                ["git", "http-backend"], env=environ, input=self.rfile.read(size),
                stdout=subprocess.PIPE, check=True,
            ).stdout  # fmt: skip
            head, _, body = out.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *arguments):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked, made.redirects = [], {}
    made.url = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


async def test_the_files_of_a_folder_at_a_branch_are_documents(repository, load):
    repository("checkout", "-q", "-b", "next")
    repository.commit(docs__new_md="# New\n")
    repository("checkout", "-q", "main")
    found, skipped = await load(branch="next", folder="docs")
    assert sorted(found) == ["guide.md", "new.md"]
    document, _ = found["guide.md"]
    assert (document.title, document.text) == ("Guide", "# Guide\n\nHow to.\n")
    assert document.uri == f"{repository.folder.as_uri()}#docs/guide.md"
    assert not skipped
    assert sorted((await load())[0]) == ["README.md", "docs/guide.md"]


async def test_only_what_changed_has_another_fingerprint(repository, load):
    first, _ = await load()
    repository.commit(README_md="# Changed\n", docs__third_md="# Third\n")
    (repository.folder / "docs/guide.md").touch()
    second, _ = await load()
    assert sorted(second) == ["README.md", "docs/guide.md", "docs/third.md"]
    assert second["README.md"][0].title == "Changed"
    assert second["README.md"][1] != first["README.md"][1]
    assert second["docs/guide.md"][1] == first["docs/guide.md"][1]
    repository("rm", "-q", "README.md")
    repository("commit", "-q", "--amend", "-m", "history is written anew")
    assert sorted((await load())[0]) == ["docs/guide.md", "docs/third.md"]


async def test_a_link_is_told_and_never_followed(repository, load, tmp_path):
    (tmp_path / "secret.md").write_text("secret")
    (repository.folder / "out.md").symlink_to(tmp_path / "secret.md")
    (repository.folder / "loop.md").symlink_to("loop.md")
    (repository.folder / "empty.md").touch()
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
    repository.commit(**{"a_md": "# A"})
    found, skipped = await load()
    assert "out.md" not in found
    assert set(skipped) == {"out.md", "loop.md", "empty.md"}
    assert "link" in skipped["out.md"]
    repository.commit(lfs_md=pointer)
    with pytest.raises(DocumentError, match="LFS"):
        await load(include=["lfs.md"])


async def test_submodules_and_files_that_are_too_large_are_told(repository, load):
    commit = repository("rev-parse", "HEAD")
    repository("update-index", "--add", "--cacheinfo", f"160000,{commit},library.md")
    repository("commit", "-q", "-m", "a submodule")
    _, skipped = await load()
    assert "submodule" in skipped["library.md"]
    with pytest.raises(DocumentError, match="more than 5 bytes"):
        await load(max_bytes=5)


async def test_hidden_and_excluded_files_are_left_out(repository, load):
    repository.commit(**{".github__a_md": "# A", "drafts__deep__b_md": "# B"})
    assert sorted((await load(exclude=["drafts"]))[0]) == ["README.md", "docs/guide.md"]
    assert ".github/a.md" in (await load(hidden=True))[0]


async def test_a_server_is_asked_and_its_links_are_its_own(server, repository, load):
    url = f"{server.url}/repository/.git"
    found, _ = await load(
        repository=url, folder="docs", allow_private=["127.0.0.1"], url="https://ex.test/blob/main"
    )
    assert found["guide.md"][0].uri == "https://ex.test/blob/main/guide.md"
    repository.commit(docs__more_md="# More")
    found, _ = await load(repository=url, folder="docs", allow_private=["127.0.0.1"])
    assert found["more.md"][0].uri == f"{url}#docs/more.md"


async def test_a_private_server_is_refused_unless_allowed_and_so_is_where_it_redirects(
    server, load
):
    with pytest.raises(SourceError, match="allow_private"):
        await load(repository=f"{server.url}/repository/.git")
    assert not server.asked
    server.redirects["/moved.git/info/refs"] = f"{server.url}/repository/.git/info/refs"
    with pytest.raises(SourceError, match="cannot be read"):
        await load(repository=f"{server.url}/moved.git", allow_private=["127.0.0.1"])
    assert len(server.asked) == 1


async def test_trees_that_hold_each_other_ten_billion_times_are_refused(
    repository, load, monkeypatch
):
    tree = "100644 blob " + repository("hash-object", "-w", "--stdin", stdin=b"x")
    for _ in range(10):
        made = "".join(f"{tree}\t{name}\n" for name in range(10))
        tree = "040000 tree " + repository("mktree", stdin=made.encode())
    commit = repository("commit-tree", tree.split()[-1], stdin=b"bomb")
    repository("update-ref", "refs/heads/main", commit)
    monkeypatch.setattr(repositories, "MOST", 1 << 20)
    with pytest.raises(SourceError, match="more than can be listed"):
        await load()


async def test_what_is_not_there_is_told(load, tmp_path):
    with pytest.raises(SourceError, match=r"nowhere.*cannot be read"):
        await load(repository=str(tmp_path / "nowhere"))
    with pytest.raises(SourceError, match="cannot be read"):
        await load(branch="nobranch")
    with pytest.raises(SourceError, match="no folder 'nofolder'"):
        await load(folder="nofolder")


async def test_without_git_the_message_says_what_to_install(load, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="install"):
        await load()


@pytest.mark.parametrize(
    "wrong",
    ["ext::sh -c id", "--upload-pack=id", "ftp://a.test/x", "https://ann:secret@a.test/x.git", ""],
)
def test_addresses_that_are_refused(wrong):
    with pytest.raises(ValidationError):
        GitSettings(repository=wrong)


@pytest.mark.parametrize("wrong", ["--force", "a..b", "x y", "a:b"])
def test_branches_that_are_refused(wrong):
    with pytest.raises(ValidationError):
        GitSettings(repository="https://a.test/x.git", branch=wrong)


async def test_no_hook_of_the_users_and_no_variable_of_an_outer_git_counts(
    load, monkeypatch, tmp_path
):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "uploadpack.packObjectsHook")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"touch {tmp_path}/ran;")
    assert len((await load())[0]) == 2
    assert not (tmp_path / "ran").exists()
