"""Checking the configuration against what the plugins offer."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from bot import Component
from bot.errors import ConfigError
from bot.settings import Settings, check, read


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Searching(Strict):
    mode: str = "hybrid"
    weights: dict[str, float] = Field(default_factory=dict)
    size: int | str = 0


class Folder(Strict):
    path: Path
    also: Path | None = None


class Channel(Strict):
    assistant: str = "default"


class Crashing(Strict):
    x: int = 1

    @field_validator("x")
    @classmethod
    def crash(cls, value):
        raise RuntimeError("a defect")


def make(name, options, context):
    raise AssertionError("nothing is made by a check")


OFFERED = {
    (kind, type_): Component(kind=kind, type=type_, settings=model, make=make)
    for kind, type_, model in [
        ("retriever", "pgvector", Searching),
        ("generator", "extractive", Strict),
        ("generator", "crashing", Crashing),
        ("loader", "folder", Folder),
        ("channel", "slack", Channel),
        ("embedder", "minilm", Searching),
        ("splitter", "structure", Strict),
    ]
}


def checked(settings, offered=OFFERED, plugins=("echo",), left_out=()):
    return check(
        settings,
        lambda kind, type_: offered.get((kind, type_)),
        lambda kind: sorted(type_ for each, type_ in offered if each == kind),
        plugins,
        left_out,
    )


@pytest.fixture
def configured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def configured(text, **environ):
        path = tmp_path / "bot.toml"
        path.write_text(text)
        return read(path, environ, deferred=True)

    return configured


def mistakes(settings, **how):
    with pytest.raises(ConfigError) as caught:
        checked(settings, **how)
    return str(caught.value)


def test_the_defaults_are_right():
    valid = checked(Settings())
    assert valid.types == {
        ("retriever", "documents"): "pgvector",
        ("generator", "local"): "extractive",
        ("embedder", "embedder"): "minilm",
        ("splitter", "splitter"): "structure",
    }
    assert valid.options["retriever", "documents"] == Searching()


def test_a_mistake_of_a_default_is_not_said_to_stand_in_the_file(configured):
    text = '[generators.other]\ntype = "extractive"\n\n[retrievers.mine]\ntype = "pgvectr"\n'
    none = {key: one for key, one in OFFERED.items() if key[1] != "pgvector"}
    told = mistakes(configured(text), offered=none).splitlines()
    assert "  the defaults: retrievers.documents.type: no plugin offers" in "\n".join(told)
    assert any(line.startswith("  bot.toml:5: retrievers.mine.type: ") for line in told)


def test_two_components_of_one_type_keep_their_own_settings(configured):
    valid = checked(
        configured(
            '[retrievers.a]\ntype = "pgvector"\nmode = "x"\n[retrievers.pgvector]\nmode = "y"'
        )
    )
    assert valid.options["retriever", "a"].mode == "x"
    assert valid.options["retriever", "pgvector"].mode == "y"


def test_a_name_without_a_table_is_a_type_or_a_plugin(configured):
    settings = configured(
        '[assistants.a]\nretrievers = ["pgvector", "echo"]\ngenerator = "extractive"'
    )
    valid = checked(settings)
    assert valid.types["retriever", "pgvector"] == "pgvector"
    assert ("retriever", "echo") not in valid.types


def test_a_weight_belongs_to_a_retriever_of_the_assistant(configured):
    toml = '[assistants.default]\nretrievers = ["echo"]\nweights = {{ {} = 2 }}\n'
    assert checked(configured(toml.format("echo")))
    assert 'no retriever "eco"; did you mean "echo"' in mistakes(configured(toml.format("eco")))


def test_the_index_names_a_table_or_a_type(configured):
    text = '[index]\nembedder = "mine"\n[embedders.mine]\ntype = "minilm"\nmode = "x"'
    valid = checked(configured(text))
    assert valid.types["embedder", "embedder"] == "minilm"
    assert valid.options["embedder", "embedder"].mode == "x"


def test_paths_are_relative_to_the_file(configured, tmp_path, monkeypatch):
    settings = configured('[sources.a]\ntype = "folder"\npath = "docs"\nalso = "/etc"')
    monkeypatch.chdir("/")
    options = checked(settings).options["loader", "a"]
    assert (options.path, options.also) == (tmp_path / "docs", Path("/etc"))


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file(configured):
    settings = configured(
        "[limits]\n"
        "hok = 1\n"
        "[assistants.default]\n"
        'retrievers = ["docments", "ecco"]\n'
        'generator = "locl"\n'
        'sources = ["handbok"]\n'
        'askers = ["group:hr"]\n'
        "[retrievers.documents]\n"
        'type = "pgvektor"\n'
        "[generators.local]\n"
        'type = "extractive"\n'
        "x = 1\n"
        "[sources.handbook]\n"
        'type = "folder"\n'
        'readers = ["group:finanse"]\n'
        "[channels.slack]\n"
        'assistant = "defolt"\n'
        "[groups]\n"
        'finance = ["group:finans"]\n'
        "[index]\n"
        'splitter = "struktur"\n',
        BOT_ASSISTANTS__DEFAULT__K="0",
    )
    assert mistakes(settings).splitlines() == [
        "The configuration has 14 mistakes:",
        "  BOT_ASSISTANTS__DEFAULT__K: assistants.default.k: should be greater than or equal to 1",
        '  bot.toml:2: limits.hok: unknown key; did you mean "hook"?',
        '  bot.toml:4: assistants.default.retrievers.0: there is no retriever "docments"; did you '
        'mean "documents"?',
        '  bot.toml:4: assistants.default.retrievers.1: there is no retriever "ecco"; did you mean '
        '"echo"?',
        '  bot.toml:5: assistants.default.generator: there is no generator "locl"; did you mean '
        '"local"?',
        '  bot.toml:6: assistants.default.sources.0: there is no source "handbok"; did you mean '
        '"handbook"?',
        '  bot.toml:7: assistants.default.askers.0: there is no group "hr"; known: finance',
        '  bot.toml:9: retrievers.documents.type: no plugin offers the retriever type "pgvektor"; '
        'did you mean "pgvector"?',
        "  bot.toml:12: generators.local.x: unknown key",
        "  bot.toml:13: sources.handbook.path: is missing",
        '  bot.toml:15: sources.handbook.readers.0: there is no group "finanse"; did you mean '
        '"finance"?',
        '  bot.toml:17: channels.slack.assistant: there is no assistant "defolt"; did you mean '
        '"default"?',
        '  bot.toml:19: groups.finance.0: there is no group "finans"; did you mean "finance"?',
        '  bot.toml:21: index.splitter: there is no splitter "struktur"; did you mean "structure"?',
    ]


def test_mistakes_inside_a_component_have_their_own_line(configured):
    text = (
        "[retrievers.pgvector]\n"
        "modus = 1\n"
        "size = [\n]\n"
        "[retrievers.pgvector.weights]\n"
        "a = 1\n"
        'b = "x"\n'
    )
    assert mistakes(configured(text)).splitlines()[1:] == [
        '  bot.toml:2: retrievers.pgvector.modus: unknown key; did you mean "mode"?',
        "  bot.toml:3: retrievers.pgvector.size: should be a valid integer, or should be a valid "
        "string",
        "  bot.toml:7: retrievers.pgvector.weights.b: should be a valid number, unable to parse "
        "string as a number",
    ]


def test_a_validator_with_a_defect_does_not_hide_the_rest(configured):
    text = '[generators.crashing]\nx = 2\n[retrievers.a]\ntype = "b"'
    assert mistakes(configured(text)).splitlines()[1:] == [
        "  bot.toml:1: generators.crashing: the generator crashing cannot check it (RuntimeError)",
        '  bot.toml:4: retrievers.a.type: no plugin offers the retriever type "b"; known: pgvector',
    ]


def test_a_component_of_a_broken_plugin_fails_when_it_is_used_and_not_before(configured):
    settings = configured(
        '[assistants.default]\nretrievers = ["documents", "dead"]\n[sources.a]\ntype = "dead"\n'
        '[index]\nembedder = "dead"'
    )
    valid = checked(settings, left_out=["dead"])
    assert ("retriever", "documents") in valid.types
    assert ("loader", "a") not in valid.types
    assert '"dead"' in mistakes(settings)


def test_a_bot_without_an_index_needs_no_embedder(configured):
    offered = {key: one for key, one in OFFERED.items() if key[0] not in ("embedder", "splitter")}
    assert ("embedder", "embedder") not in checked(Settings(), offered).types
    asked_for = configured('[index]\nembedder = "minilm"')
    assert mistakes(asked_for, offered=offered) == (
        'bot.toml:2: index.embedder: there is no embedder "minilm"'
    )


def test_the_defaults_are_named_when_they_do_not_work():
    assert mistakes(Settings(), offered={}).splitlines()[1:] == [
        '  the defaults: generators.local.type: no plugin offers the generator type "extractive"',
        '  the defaults: retrievers.documents.type: no plugin offers the retriever type "pgvector"',
    ]
