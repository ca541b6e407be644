"""Plugins as pip leaves them: real distributions, of which some are broken."""

import importlib
import subprocess
import sys
import textwrap

import pytest
from pydantic import BaseModel

from bot import hookimpl
from bot import plugins as module
from bot.errors import PluginError
from bot.hookmarkers import going, hookspec
from bot.plugins import Component, Plugins

GOOD = """
    from bot import hookimpl

    @hookimpl
    def bot_retrieve(turn):
        return []
"""
OFFERS = """
    from pydantic import BaseModel
    from bot import Component, hookimpl

    @hookimpl
    def bot_components():
        yield Component(kind="retriever", type={type!r}, settings=BaseModel, make=lambda *_: None)
"""
BROKEN = {
    "raising": "1 / 0",
    "hanging": "import time; time.sleep(600)",
    "exiting": "import sys; sys.exit('goodbye')",
    "doomed": "class Doomed(BaseException): pass\nraise Doomed('far out')",
    "unknown": "from bot import hookimpl\n@hookimpl\ndef bot_retreive(turn): ...",
    "argument": "from bot import hookimpl\n@hookimpl\ndef bot_retrieve(trun): ...",
    "wrapping": "from bot import hookimpl\n@hookimpl(wrapper=True)\n"
    "def bot_retrieve(turn):\n    return (yield)",
    "offering": "from bot import hookimpl\n@hookimpl\ndef bot_components(): raise KeyError('x')",
    "offerexit": "from bot import hookimpl\n@hookimpl\ndef bot_components(): raise SystemExit",
    "offerhang": "import time\nfrom bot import hookimpl\n"
    "@hookimpl\ndef bot_components(): time.sleep(600)",
    "nonsense": "from bot import hookimpl\n@hookimpl\ndef bot_components(): return [3]",
}
SAYS = {
    "raising": "ZeroDivisionError",
    "hanging": "did not end within",
    "exiting": "goodbye",
    "doomed": "far out",
    "unknown": "bot_retreive",
    "argument": "trun",
    "wrapping": "bot_around",
    "offering": "KeyError",
    "offerexit": "SystemExit",
    "offerhang": "did not end within",
    "nonsense": "kind",
    "missing": "No module named",
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Write distributions onto the import path; no others of the group are seen."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    real = importlib.metadata.entry_points
    here = importlib.metadata.Distribution.discover

    def of_this_folder(**wanted):
        names = {d.metadata["Name"] for d in here(path=[str(folder)])}
        return [e for e in real(**wanted) if e.dist is None or e.dist.name in names]

    monkeypatch.setattr(importlib.metadata, "entry_points", of_this_folder)
    monkeypatch.setattr(module, "IMPORT_TIMEOUT", 0.5)

    def write(name, source, entry=None):
        about = folder / f"domainbot_{name}-1.2.dist-info"
        about.mkdir()
        about.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.1\nName: domainbot-{name}\nVersion: 1.2\n"
        )
        about.joinpath("entry_points.txt").write_text(f"[bot]\n{entry or name} = bot_test_{name}\n")
        if source is not None:
            folder.joinpath(f"bot_test_{name}.py").write_text(textwrap.dedent(source))
        importlib.invalidate_caches()

    yield write
    for name in [name for name in sys.modules if name.startswith("bot_test_")]:
        del sys.modules[name]


def load(environ=(), disabled=()):
    plugins = Plugins()
    plugins.load(dict(environ), disabled)
    return plugins, {loaded.name: loaded for loaded in plugins.loaded}


def test_an_installed_plugin_is_loaded_and_known_by_its_distribution(install):
    install("good", GOOD)
    plugins, loaded = load()
    assert (loaded["good"].distribution, loaded["good"].version) == ("domainbot-good", "1.2")
    assert loaded["good"].error == ""
    assert loaded["good"].seconds > 0
    assert plugins.hooks("good") == ["bot_retrieve"]


def test_every_broken_plugin_is_named_and_the_others_live(install):
    install("good", GOOD)
    install("zgood", OFFERS.format(type="zz"))
    install("missing", None)
    for name, source in BROKEN.items():
        install(name, source)
    plugins, loaded = load()
    assert set(loaded) == {"good", "zgood", "missing", *BROKEN}
    for name, said in SAYS.items():
        assert loaded[name].error.startswith(f"{name}: "), loaded[name]
        assert said in loaded[name].error, loaded[name]
        assert "\n" not in loaded[name].error
        assert not plugins.manager.has_plugin(name)
    assert [n for n, one in loaded.items() if not one.error] == ["good", "zgood"]
    assert plugins.types("retriever") == ["zz"]
    # What was left out leaves nothing behind: the next plugin still registers.
    plugins.register(object(), "later")


def test_two_plugins_of_one_type_the_first_keeps_it(install):
    install("aaa", OFFERS.format(type="same"))
    install("bbb", OFFERS.format(type="same"))
    plugins, loaded = load()
    assert loaded["aaa"].error == ""
    assert "'same'" in loaded["bbb"].error
    assert plugins.offers("aaa") == ["retriever same"]
    assert plugins.offers("bbb") == []


def test_two_plugins_of_one_name_the_first_keeps_it(install):
    install("aaa", GOOD, entry="name")
    install("bbb", GOOD, entry="name")
    plugins = load()[0]
    assert sorted(bool(loaded.error) for loaded in plugins.loaded) == [False, True]
    assert plugins.manager.has_plugin("name")


def test_one_module_under_two_names_is_loaded_once(install):
    install("good", GOOD)
    plugins, _ = load()
    again = plugins.manager.get_plugin("good")
    with pytest.raises(PluginError):
        plugins.register(again, "good")
    with pytest.raises(PluginError):
        plugins.register(again, "other")
    assert plugins.manager.get_plugin("good") is again


def test_a_half_removed_distribution_does_not_stop_the_others(install, tmp_path):
    install("good", GOOD)
    install("torn", GOOD)
    (tmp_path / "site" / "domainbot_torn-1.2.dist-info" / "METADATA").write_text("")
    plugins = Plugins()
    plugins.load({})
    assert plugins.manager.has_plugin("good")


def test_an_empty_bot_plugins_loads_none(install):
    install("good", GOOD)
    assert load({"BOT_PLUGINS": ""})[0].loaded == []


def test_bot_plugins_names_what_is_loaded(install):
    for name in ("a", "b", "c"):
        install(name, GOOD)
    assert set(load({"BOT_PLUGINS": "a, b,"})[1]) == {"a", "b"}


def test_a_name_in_bot_plugins_that_is_not_installed_is_told(install):
    install("a", GOOD)
    _, loaded = load({"BOT_PLUGINS": "a,typo"})
    assert loaded["a"].error == ""
    assert "not installed" in loaded["typo"].error


def test_a_disabled_plugin_is_listed_and_not_imported(install):
    install("good", GOOD)
    install("raising", BROKEN["raising"])
    plugins, loaded = load(disabled=["raising"])
    assert loaded["raising"].disabled
    assert loaded["raising"].error == ""
    assert not plugins.manager.has_plugin("raising")
    assert "bot_test_raising" not in sys.modules
    assert plugins.manager.has_plugin("good")


def test_migrations_of_a_broken_plugin_are_left_out(install, tmp_path):
    install("good", "from bot import hookimpl\n@hookimpl\n"
            f"def bot_migrations(): return {str(tmp_path)!r}")  # fmt: skip
    install("bad", "from bot import hookimpl\n@hookimpl\ndef bot_migrations(): return 1 / 0")
    install("away", "from bot import hookimpl\n@hookimpl\ndef bot_migrations(): return '/no/where'")
    assert load()[0].migrations() == [tmp_path]


def test_components_are_found_by_kind_and_type():
    class Plugin:
        @hookimpl
        def bot_components(self):
            return [one, two]

    one = Component(kind="retriever", type="x", settings=BaseModel, make=lambda *_: 1)
    two = Component(kind="generator", type="x", settings=BaseModel, make=lambda *_: 2)
    plugins = Plugins()
    plugins.register(Plugin(), "mine")
    assert plugins.component("retriever", "x") is one
    assert plugins.component("generator", "x") is two
    assert plugins.component("channel", "x") is None
    assert plugins.components == [one, two]
    assert plugins.offers("mine") == ["retriever x", "generator x"]
    assert plugins.hooks("nobody") == []


def test_a_hanging_import_does_not_hold_up_the_exit(tmp_path):
    about = tmp_path / "hangs-1.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: hangs\nVersion: 1\n")
    about.joinpath("entry_points.txt").write_text("[bot]\nhangs = hangs\n")
    tmp_path.joinpath("hangs.py").write_text("import time; time.sleep(600)")
    program = """
        import sys
        from bot import plugins
        plugins.IMPORT_TIMEOUT = 0.2
        loaded = plugins.Plugins()
        loaded.load({"BOT_PLUGINS": "hangs"})
        print(loaded.loaded[0].error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "hangs: its import did not end within 0.2 s"


def test_a_plugin_for_another_version_of_the_contract_is_left_out(install):
    for name, version in (("fits", 1), ("newer", 2), ("older", 0)):
        install(name, f"    BOT_API = {version}\n{GOOD}")
    loaded = load()[1]
    assert loaded["fits"].error == ""
    assert "upgrade domainbot" in loaded["newer"].error
    assert "upgrade the plugin" in loaded["older"].error


def test_a_hook_that_goes_is_told(install):
    class Older:
        @hookspec(warn_on_impl=going("bot_old", "0.2", "0.3", "bot_new"))
        def bot_old(self):
            """Be an old hook."""

    install("old", "from bot import hookimpl\n@hookimpl\ndef bot_old(): pass")
    install("good", GOOD)
    plugins = Plugins()
    plugins.manager.add_hookspecs(Older)
    plugins.load({})
    loaded = {one.name: one for one in plugins.loaded}
    assert loaded["good"].going == ()
    assert loaded["old"].going == (
        "old: bot_old is deprecated since 0.2 and goes with 0.3; implement bot_new",
    )
    assert not loaded["old"].error
