"""Every check of the suites has a plugin that fails it, and a good plugin passes them all."""

import inspect
import sys

import pytest
from conforming import (
    EMBEDDERS,
    GENERATORS,
    LOADERS,
    RETRIEVERS,
    Box,
    Glossary,
    Hashed,
    Quoting,
    Settings,
    loader,
    offering,
    retriever,
    suite,
)
from pydantic import BaseModel, ConfigDict, Field

from bot.errors import HookFailed
from bot.plugins import Plugins
from bot.testing.conformance import (
    Conformance,
    EmbedderConformance,
    GeneratorConformance,
    LoaderConformance,
    RetrieverConformance,
)

LOADS = {"test_it_loads_without_heavy_imports", "test_its_settings_help_an_editor"}


async def run(suite, check):
    done = getattr(suite(), check)()
    if inspect.isawaitable(done):
        await done


def checks(base):
    return {name for name in vars(base) if name.startswith("test_")}


@pytest.mark.parametrize("check", RETRIEVERS)
async def test_a_good_retriever_passes(check):
    await run(retriever(Glossary), check)


@pytest.mark.parametrize("check", RETRIEVERS)
async def test_a_broken_retriever_fails(check):
    with pytest.raises((AssertionError, HookFailed)):
        await run(retriever(RETRIEVERS[check]), check)


@pytest.mark.parametrize("check", GENERATORS)
async def test_a_good_generator_passes(check):
    await run(suite(GeneratorConformance, lambda *_: Quoting()), check)


@pytest.mark.parametrize("check", GENERATORS)
async def test_a_broken_generator_fails(check):
    # Inventing has two passages where one marker is too many.
    broken = suite(GeneratorConformance, lambda *_: GENERATORS[check](), passages=("One. Two.",))
    with pytest.raises((AssertionError, HookFailed)):
        await run(broken, check)


@pytest.mark.parametrize("check", EMBEDDERS)
async def test_a_good_embedder_passes(check):
    await run(suite(EmbedderConformance, lambda *_: Hashed()), check)


@pytest.mark.parametrize("check", EMBEDDERS)
async def test_a_broken_embedder_fails(check):
    with pytest.raises((AssertionError, HookFailed)):
        await run(suite(EmbedderConformance, lambda *_: EMBEDDERS[check]()), check)


@pytest.mark.parametrize("check", LOADERS)
async def test_a_good_loader_passes(check):
    await run(loader(Box), check)


@pytest.mark.parametrize("check", LOADERS)
async def test_a_broken_loader_fails(check):
    with pytest.raises((AssertionError, HookFailed)):
        await run(loader(LOADERS[check]), check)


def test_no_check_is_without_a_plugin_that_fails_it():
    assert checks(RetrieverConformance) == set(RETRIEVERS)
    assert checks(GeneratorConformance) == set(GENERATORS)
    assert checks(EmbedderConformance) == set(EMBEDDERS)
    assert checks(LoaderConformance) == set(LOADERS)
    assert checks(Conformance) == LOADS


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Install a module as a plugin for one test."""

    def install(name, code):
        about = tmp_path / f"{name}-1.dist-info"
        about.mkdir()
        about.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        about.joinpath("entry_points.txt").write_text(f"[bot]\n{name} = bot_test_{name}\n")
        tmp_path.joinpath(f"bot_test_{name}.py").write_text(code)

    monkeypatch.syspath_prepend(str(tmp_path))
    yield install
    for name in [name for name in sys.modules if name.startswith("bot_test_")]:
        del sys.modules[name]


LIGHT = "from bot import hookimpl\n@hookimpl\nasync def bot_retrieve(turn): return []\n"


def installed(name):
    return type("Suite", (RetrieverConformance,), {"plugin": name, "question": "?"})()


def test_what_loads_light_passes_and_what_loads_heavy_fails(site):
    site("light", LIGHT)
    site("heavy", f"import numpy\n{LIGHT}")
    site("broken", "raise RuntimeError('no luck')")
    installed("light").test_it_loads_without_heavy_imports()
    for name, said in (
        ("heavy", "loading heavy imports numpy"),
        ("broken", "no luck"),
        ("absent", "absent is not installed"),
    ):
        with pytest.raises(AssertionError, match=said):
            installed(name).test_it_loads_without_heavy_imports()


class Undescribed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    colour: str = "red"


class Tolerant(BaseModel):
    colour: str = Field("red", description="Of what.")


def test_settings_have_descriptions_and_forbid_what_they_do_not_know():
    def check(settings):
        plugins = Plugins()
        plugins.register(offering("retriever", print, settings), "mine")
        attributes = {"plugin": "mine", "loaded": lambda self: plugins}
        type("Suite", (RetrieverConformance,), attributes)().test_its_settings_help_an_editor()

    check(Settings)
    with pytest.raises(AssertionError, match="colour"):
        check(Undescribed)
    with pytest.raises(AssertionError, match="forbid"):
        check(Tolerant)
