import os

import pytest

from bot.embedded import configuration
from bot.embedded.account import Account

GIGABYTE = 1 << 30


def written(folder, limit):
    (folder / "memory.max").write_text(limit)
    account = Account(name="someone", uid=os.getuid(), gid=os.getgid())
    lines = configuration.write(folder, folder / "data", account).read_text().splitlines()
    return dict(line.split(" = ") for line in lines if " = " in line)


@pytest.fixture(autouse=True)
def container(tmp_path, monkeypatch):
    monkeypatch.setattr(configuration, "_LIMIT", tmp_path / "memory.max")


@pytest.mark.parametrize(
    ("limit", "buffers"),
    [(GIGABYTE // 4, "131072kB"), (2 * GIGABYTE, "262144kB")],
    ids=["never less than PostgreSQL's own", "an eighth"],
)
def test_the_server_takes_its_share_of_what_a_container_may_use(tmp_path, limit, buffers):
    found = written(tmp_path, f"{limit}\n")
    assert found["shared_buffers"] == buffers
    assert found["effective_cache_size"] == f"{limit // 2 >> 10}kB"


def test_the_server_takes_its_share_of_a_machine_but_no_more_than_it_needs(tmp_path, monkeypatch):
    pages = {"SC_PHYS_PAGES": 64 * GIGABYTE // 4096, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(configuration.os, "sysconf", pages.__getitem__)
    found = written(tmp_path, "max\n")
    assert (found["shared_buffers"], found["effective_cache_size"]) == ("2097152kB", "33554432kB")
