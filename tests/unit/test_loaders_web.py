"""Web sources against servers on loopback: what is asked, what is kept, what is refused."""

import gzip
import re
import socket
import threading
import time
import tracemalloc
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bot.document import Found, Skipped, Source
from bot.errors import BotError, SourceError
from bot.indexing.addresses import AddressRefused, public
from bot.indexing.builtin import StructureSettings, WebSettings
from bot.indexing.fetching import Fetcher
from bot.indexing.splitting import StructureSplitter
from bot.indexing.urls import web_address
from bot.indexing.web import WebLoader, sitemap_entries
from bot.location import SEPARATOR, located
from bot.turn import Passage

PAGE = "<title>{0}</title><main><h1>{0}</h1><p>All about {0}.</p></main>"


class Site:
    """A web site: what it answers by path, and what it was asked.

    An answer is (status, headers, body); an `ETag` among the headers is honoured.
    """

    def __init__(self):
        self.answers = {}
        self.asked = []

    def page(self, path, title, **headers):
        self.answers[path] = (200, {"Content-Type": "text/html", **headers}, PAGE.format(title))

    def sitemap(self, *paths):
        locations = "".join(f"<url><loc>{self.url}{path}</loc></url>" for path in paths)
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        self.answers["/sitemap.xml"] = (200, {}, f'<urlset xmlns="{space}">{locations}</urlset>')

    @property
    def paths(self):
        return [path for path, _ in self.asked if path != "/robots.txt"]


@contextmanager
def served():
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            site.asked.append((self.path, dict(self.headers)))
            status, headers, body = site.answers.get(self.path, (404, {}, "nothing here"))
            if "ETag" in headers and self.headers.get("If-None-Match") == headers["ETag"]:
                status, body = 304, ""
            body = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.port = server.server_port
    site.url = f"http://127.0.0.1:{site.port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site():
    with served() as each:
        yield each


@pytest.fixture
def load(tmp_path):
    """Load a source to its end: what was found (read, as documents) and what was skipped."""

    async def run(*, read=True, resolve=None, **settings):
        settings = WebSettings(**{"delay": 0, "allow_private": ["127.0.0.1"], **settings})
        fetcher = Fetcher(settings.allow_private, 0, resolve, patience=0.01)
        loader = WebLoader(settings, tmp_path / "cache" / "web.json", fetcher)
        source = Source(name="w", type="web", settings=settings, readers=frozenset({"everyone"}))
        found, skipped = {}, {}
        try:
            async for item in loader.bot_load(source):
                if isinstance(item, Skipped):
                    skipped[item.where] = item
                else:
                    assert isinstance(item, Found)
                    found[item.key] = (item.fingerprint, await item.read() if read else None)
        finally:
            await loader.aclose()
        return found, skipped

    return run


async def test_pages_become_documents_with_their_titles(site, load):
    site.page("/guide", "Guide")
    found, skipped = await load(urls=[f"{site.url}/guide#part"])
    ((key, (_, document)),) = found.items()
    assert key == document.key == document.uri == f"{site.url}/guide"
    assert (document.title, document.text) == ("Guide", "# Guide\n\nAll about Guide.\n")
    assert not skipped
    assert site.asked[0][1]["User-Agent"].startswith("domainbot/")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/index.php", "text/html; charset=utf-8"),
        ("/a.php?page=2", ""),
        ("/a.asp", "text/html"),
        ("/a.aspx", ""),
        ("/a.jsp", "application/xhtml+xml"),
        ("/a.sh/", "text/html"),
        ("/a.txt", "text/html"),
        ("/a", ""),
    ],
)
async def test_a_page_has_its_sections_whatever_its_address_ends_with(site, load, path, kind):
    body = "<!DOCTYPE html><h1>Cars</h1><h2>Fees</h2><p>Nine # euros.</p><h2>Names</h2><p>Ann.</p>"
    site.answers[path] = (200, {"Content-Type": kind} if kind else {}, body)
    found, _ = await load(urls=[f"{site.url}{path}"])
    ((_, document),) = found.values()
    spans = [match.span() for match in re.finditer(r"\w+", document.text)]
    (piece,) = StructureSplitter(StructureSettings()).bot_split(document, spans)
    assert piece.headings == ("Cars",)
    passage = Passage(
        id="p",
        text=document.text[piece.start : piece.end],
        readers=frozenset({"everyone"}),
        location=SEPARATOR.join(piece.headings),
        uri=document.uri,
        metadata=document.metadata,
    )
    assert located(passage, "Ann.") == "Cars › Names"


async def test_what_a_server_sends_as_text_is_no_page(site, load):
    site.answers["/run.php"] = (200, {"Content-Type": "text/plain"}, "# a comment\n$a = 1;\n")
    found, _ = await load(urls=[f"{site.url}/run.php"])
    ((_, document),) = found.values()
    assert (document.text, document.metadata) == ("# a comment\n$a = 1;\n", {})


async def test_a_page_that_has_not_changed_is_not_sent_again(site, load):
    site.page("/a", "A", ETag='"1"')
    first, _ = await load(urls=[f"{site.url}/a"])
    second, _ = await load(urls=[f"{site.url}/a"], read=False)
    assert site.asked[-1][1]["If-None-Match"] == '"1"'
    assert second[f"{site.url}/a"][0] == first[f"{site.url}/a"][0]
    site.page("/a", "B", ETag='"2"')
    third, _ = await load(urls=[f"{site.url}/a"])
    assert third[f"{site.url}/a"][0] != first[f"{site.url}/a"][0]
    assert third[f"{site.url}/a"][1].title == "B"


async def test_a_page_that_the_index_lost_is_read_although_it_has_not_changed(site, load):
    site.page("/a", "A", ETag='"1"')
    await load(urls=[f"{site.url}/a"])
    again, _ = await load(urls=[f"{site.url}/a"])
    assert again[f"{site.url}/a"][1].title == "A"


async def test_a_sitemap_and_an_index_of_sitemaps_list_pages(site, load):
    site.sitemap("/docs/a", "/docs/b", "/blog/c")
    inner = f"<sitemapindex><sitemap><loc>{site.url}/sitemap.xml</loc></sitemap></sitemapindex>"
    site.answers["/index.xml.gz"] = (200, {}, gzip.compress(inner.encode()))
    for path in ("/docs/a", "/docs/b", "/blog/c"):
        site.page(path, path)
    found, _ = await load(sitemaps=[f"{site.url}/index.xml.gz"], include=["docs/**"])
    assert set(found) == {f"{site.url}/docs/a", f"{site.url}/docs/b"}


def sitemap_index(site, *paths):
    listed = "".join(
        f"<sitemap><loc>{path if '://' in path else site.url + path}</loc></sitemap>"
        for path in paths
    )
    return 200, {}, f"<sitemapindex>{listed}</sitemapindex>"


async def test_sitemaps_that_list_each_other_are_asked_for_once_each(site, load):
    site.page("/a", "A")
    site.sitemap("/a")
    site.answers["/one.xml"] = sitemap_index(site, "/one.xml", "/two.xml", "/two.xml")
    site.answers["/two.xml"] = sitemap_index(
        site, "/one.xml", "/sitemap.xml", "/sitemap.xml", "https://elsewhere.example/s.xml"
    )
    found, skipped = await load(sitemaps=[f"{site.url}/one.xml", f"{site.url}/two.xml"])
    assert list(found) == [f"{site.url}/a"]
    assert "another host" in skipped["https://elsewhere.example/s.xml"].reason
    assert site.paths == ["/one.xml", "/two.xml", "/sitemap.xml", "/a"]


async def test_sitemaps_without_an_end_delete_nothing(site, load):
    for number in range(10):
        site.answers[f"/{number}.xml"] = sitemap_index(site, f"/{number + 1}.xml")
    with pytest.raises(SourceError, match="too many that list each other"):
        await load(sitemaps=[f"{site.url}/0.xml"])
    site.answers["/wide.xml"] = sitemap_index(site, *(f"/w{n}.xml" for n in range(9)))
    for number in range(9):
        site.answers[f"/w{number}.xml"] = sitemap_index(site)
    with pytest.raises(SourceError, match="too many"):
        await load(sitemaps=[f"{site.url}/wide.xml"], max_pages=5)


async def test_a_sitemap_that_unpacks_to_gigabytes_deletes_nothing(site, load):
    site.answers["/sitemap.xml"] = (200, {}, gzip.compress(b"<a>" + b" " * (60 << 20), 1))
    with pytest.raises(SourceError, match="no XML; nothing was deleted"):
        await load(sitemaps=[f"{site.url}/sitemap.xml"])


async def test_robots_txt_is_obeyed(site, load):
    rules = "User-agent: *\nDisallow: /\n\nUser-agent: domainbot\nDisallow: /private\n"
    site.answers["/robots.txt"] = (200, {}, rules)
    site.page("/open", "Open")
    site.page("/private/x", "Private")
    found, skipped = await load(urls=[f"{site.url}/open", f"{site.url}/private/x"])
    assert set(found) == {f"{site.url}/open"}
    assert "robots.txt" in skipped[f"{site.url}/private/x"].reason
    assert site.paths == ["/open"]


async def test_what_has_vanished_is_told_and_what_fails_stays(site, load):
    site.page("/a", "A")
    site.answers["/gone"] = (410, {}, "")
    site.answers["/broken"] = (500, {}, "")
    site.answers["/members"] = (403, {}, "")
    urls = [f"{site.url}/{name}" for name in ("broken", "a", "gone", "members", "missing")]
    found, skipped = await load(urls=urls)
    assert set(found) == {f"{site.url}/a"}
    kept = {where.rpartition("/")[2] for where, item in skipped.items() if item.key}
    assert kept == {"broken", "members"}
    assert set(skipped) == set(urls) - set(found)
    assert site.paths.count("/broken") == 3


async def test_a_site_that_is_down_deletes_nothing(site, load):
    site.page("/a", "A")
    urls = [f"{site.url}/a"]
    await load(urls=urls)
    site.answers["/a"] = (503, {"Retry-After": "0"}, "")
    with pytest.raises(SourceError, match="status 503"):
        await load(urls=urls)
    site.answers["/robots.txt"] = (500, {}, "")
    with pytest.raises(SourceError, match="robots"):
        await load(urls=urls)
    with pytest.raises(SourceError, match="cannot be fetched"):
        await load(urls=["http://127.0.0.1:1/a"])


async def test_a_site_that_goes_down_in_the_middle_stops_the_listing(site, load):
    paths = [f"/{n}" for n in range(20)]
    site.sitemap(*paths)
    site.page("/0", "First")
    site.answers |= dict.fromkeys(paths[1:], (502, {}, ""))
    with pytest.raises(SourceError, match="502"):
        await load(sitemaps=[f"{site.url}/sitemap.xml"])
    assert len(set(site.paths)) == 7


async def test_a_sitemap_that_is_gone_or_broken_deletes_nothing(site, load):
    for answer in ((404, {}, ""), (200, {}, "<urlset><url>"), (200, {}, b"\x1f\x8b broken")):
        site.answers["/sitemap.xml"] = answer
        with pytest.raises(SourceError, match="sitemap"):
            await load(sitemaps=[f"{site.url}/sitemap.xml"])


async def test_redirects_are_followed_to_where_they_end(site, load):
    site.answers["/old"] = (301, {"Location": "/new"}, "")
    site.page("/new", "New")
    found, skipped = await load(urls=[f"{site.url}/old", f"{site.url}/new"])
    assert found[f"{site.url}/old"][1].uri == f"{site.url}/new"
    assert "is read already" in skipped[f"{site.url}/new"].reason
    site.answers["/loop"] = (302, {"Location": "/loop"}, "")
    _, skipped = await load(urls=[f"{site.url}/loop"])
    assert "redirected more than" in skipped[f"{site.url}/loop"].reason
    site.answers["/file"] = (302, {"Location": "file:///etc/passwd"}, "")
    _, skipped = await load(urls=[f"{site.url}/file"])
    assert "no web page" in skipped[f"{site.url}/file"].reason


async def test_a_redirect_into_the_private_network_is_refused(site, load):
    with served() as inner:
        inner.page("/secret", "Secret")
        site.page("/a", "A")
        site.answers["/in"] = (302, {"Location": f"http://localhost:{inner.port}/secret"}, "")
        site.answers["/meta"] = (302, {"Location": "http://169.254.169.254/latest"}, "")
        urls = [f"{site.url}/in", f"{site.url}/meta", f"{site.url}/a"]
        found, skipped = await load(urls=urls)
        assert set(found) == {f"{site.url}/a"}
        assert 'add "localhost" to `allow_private`' in skipped[f"{site.url}/in"].reason
        assert "169.254.169.254" in skipped[f"{site.url}/meta"].reason
        assert not inner.asked


async def test_a_private_address_is_refused_unless_its_host_is_allowed_by_name(site, load):
    site.page("/a", "A")
    _, skipped = await load(urls=[f"{site.url}/a"], allow_private=[])
    assert "not public" in skipped[f"{site.url}/a"].reason
    assert not site.asked


async def test_the_connection_goes_to_the_address_that_was_checked(site, load):
    site.page("/a", "A")
    site.answers["/robots.txt"] = (200, {}, "")  # so that the page comes over the same connection
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    url = f"http://wiki.test:{site.port}/a"
    found, _ = await load(urls=[url], allow_private=["Wiki.Test."], resolve=resolve)
    assert found[url][1].title == "A"
    assert asked == ["wiki.test"]
    assert site.asked[-1][1]["Host"] == f"wiki.test:{site.port}"


async def test_a_name_with_one_private_address_among_public_ones_is_refused(site):
    async def resolve(host, port):
        return ["93.184.215.14", "127.0.0.1"]

    fetcher = Fetcher((), 0, resolve, patience=0)
    with pytest.raises(AddressRefused):
        await fetcher.get(f"http://evil.test:{site.port}/", 1000)
    await fetcher.aclose()
    assert not site.asked


@pytest.mark.parametrize(
    "address",
    "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 0.0.0.0 100.64.0.1 224.0.0.1 ::1 :: "
    "fe80::1 fe80::1%eth0 fd00::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: "
    "ff02::1 255.255.255.255 ::7f00:1 64:ff9b:1::7f00:1 fec0::1 ::ffff:0:7f00:1".split(),
)
def test_addresses_that_are_not_public(address):
    assert not public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_addresses_that_are_public(address):
    assert public(address)


async def test_pages_that_unpack_to_too_much_and_pages_of_other_kinds_are_told(site, load):
    packed = gzip.compress(b"<p>" + b"x" * 5_000_000)
    site.answers["/bomb"] = (200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, packed)
    site.answers["/image"] = (200, {"Content-Type": "image/png"}, b"\x89PNG")
    site.page("/a", "A")
    urls = [f"{site.url}/{name}" for name in ("bomb", "image", "a")]
    found, skipped = await load(urls=urls, max_bytes=1_000_000)
    assert set(found) == {f"{site.url}/a"}
    assert "1,000,000 bytes" in skipped[f"{site.url}/bomb"].reason
    assert "image/png" in skipped[f"{site.url}/image"].reason


async def test_a_page_that_is_packed_twice_is_unpacked_bit_by_bit(site, load):
    packed = gzip.compress(gzip.compress(b" " * (1 << 27), 1), 9)
    headers = {"Content-Type": "text/html", "Content-Encoding": "gzip, gzip"}
    site.answers["/bomb"] = (200, headers, packed)
    tracemalloc.start()
    try:
        _, skipped = await load(urls=[f"{site.url}/bomb"], max_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert "1,000,000 bytes" in skipped[f"{site.url}/bomb"].reason


class Endless(threading.Thread):
    """A server that never comes to the end of a page."""

    def __init__(self, part):
        super().__init__(daemon=True)
        self._part = part
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.asked = []
        self.start()

    def run(self):
        with suppress(OSError):
            while True:
                self._serve(self._socket.accept()[0])

    def _serve(self, connection):
        with suppress(OSError), connection:
            path = connection.recv(65_536).split()[1]
            if path == b"/robots.txt":
                connection.sendall(b"HTTP/1.1 404 No\r\nConnection: close\r\n\r\n")
                return
            self.asked.append(path)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
            while True:
                connection.sendall(self._part)
                time.sleep(0.01)

    def close(self):
        self._socket.close()


@pytest.mark.parametrize(
    ("part", "why"), [(b"x" * 100_000, "1,000,000 bytes"), (b"x", "longer than 0.5 s")]
)
async def test_a_page_without_an_end_is_told_and_asked_for_once(part, why):
    server = Endless(part)
    fetcher = Fetcher(("127.0.0.1",), 0, patience=0, whole=60 if len(part) > 1 else 0.5)
    try:
        with pytest.raises(BotError, match=why):
            await fetcher.get(f"{server.url}/a", 1_000_000)
    finally:
        await fetcher.aclose()
        server.close()
    assert len(server.asked) <= 1


async def test_the_servers_charset_counts(site, load):
    body = "<p>Zürich</p>".encode("latin-1")
    site.answers["/a"] = (200, {"Content-Type": "text/html; charset=ISO-8859-1"}, body)
    found, _ = await load(urls=[f"{site.url}/a"])
    assert "Zürich" in found[f"{site.url}/a"][1].text


async def test_no_more_pages_than_allowed_and_none_of_other_hosts(site, load):
    site.sitemap(*(f"/{n}" for n in range(5)))
    for number in range(5):
        site.page(f"/{number}", str(number))
    found, skipped = await load(sitemaps=[f"{site.url}/sitemap.xml"], max_pages=3)
    assert len(found) == 3
    assert "more than 3 pages" in skipped[f"{site.url}/sitemap.xml"].reason
    other = "<urlset><url><loc>http://elsewhere.test/a</loc></url></urlset>"
    site.answers["/sitemap.xml"] = (200, {}, other)
    found, skipped = await load(sitemaps=[f"{site.url}/sitemap.xml"])
    assert not found
    assert "another host" in skipped["http://elsewhere.test/a"].reason


async def test_a_damaged_cache_is_none(site, load, tmp_path):
    site.page("/a", "A")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "web.json").write_text('{"extraction": 2, "pages": [')
    found, _ = await load(urls=[f"{site.url}/a"])
    assert len(found) == 1


def test_a_sitemap_costs_what_it_lists_and_no_tree():
    tracemalloc.start()
    try:
        assert sitemap_entries("u", b"<r>" + b"<a/>" * 200_000 + b"</r>") == (False, [])
        with pytest.raises(SourceError, match="no XML"):
            sitemap_entries("u", b"<a>" * 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_sitemap_of_entities_is_refused():
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "lol">{entities}]><urlset><url><loc>&l9;</loc></url></urlset>'
    with pytest.raises(SourceError, match="no XML"):
        sitemap_entries("u", bomb.encode())
    outside = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><urlset><url><loc>&e;</loc></url></urlset>'
    with pytest.raises(SourceError, match="no XML"):
        sitemap_entries("u", outside)


def test_addresses_have_one_form():
    assert web_address("HTTPS://Ex.test:443/a b?q=ü#x") == "https://ex.test/a%20b?q=%C3%BC"
    for wrong in ("ftp://a.test/", "https://", "a.test/x", "https://ann:secret@a.test/"):
        with pytest.raises(ValueError, match="address"):
            web_address(wrong)
