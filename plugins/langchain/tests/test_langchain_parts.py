"""LangChain's retrievers, embeddings, loaders, splitters and rerankers by their import paths."""

import langchain_toys
import pytest
from bot_langchain.settings import EmbedderSettings

from bot.errors import BotError, ConfigError, EmbeddingError, PluginError, SourceError
from bot.turn import Outcome

TEXTS = ["Printers stand on the second floor.", "Soup is served at noon.", "Lifts are slow."]
LISTED = ", ".join(f'"{text}"' for text in TEXTS)
HR = {"principals": ["email:ann@example.com"]}
RETRIEVE = """
[assistants.default]
retrievers = ["found"]
generator = "local"
[retrievers.found]
type = "langchain"
readers = ["everyone"]
may_receive = "all"
"""
DOCUMENTS = f"""
[retrievers.found.options.documents]
class = "langchain_toys.Memory"
then = "load"
texts = [{LISTED}]
"""
BM25 = f"""{RETRIEVE}
class = "langchain_community.retrievers.BM25Retriever"
call = "from_documents"
[retrievers.found.options]
k = 1
{DOCUMENTS}"""
STORE = """
class = "{store}"
call = "from_documents"
then = {{as_retriever = {{search_kwargs = {{k = 1}}}}}}
[retrievers.found.options.embedding]
class = "langchain_toys.WordEmbeddings"
"""
ENSEMBLE = f"""{RETRIEVE}
class = "langchain_classic.retrievers.EnsembleRetriever"
[retrievers.found.options]
weights = [0.7, 0.3]
[[retrievers.found.options.retrievers]]
class = "langchain_community.retrievers.BM25Retriever"
call = "from_texts"
texts = [{LISTED}]
k = 1
[[retrievers.found.options.retrievers]]
class = "langchain_core.vectorstores.InMemoryVectorStore"
call = "from_texts"
then = "as_retriever"
texts = [{LISTED}]
embedding = {{class = "langchain_toys.WordEmbeddings"}}
"""
RETRIEVERS = {
    "BM25Retriever": BM25,
    "InMemoryVectorStore": RETRIEVE
    + STORE.format(store="langchain_core.vectorstores.InMemoryVectorStore")
    + DOCUMENTS,
    "FAISS": RETRIEVE + STORE.format(store="langchain_community.vectorstores.FAISS") + DOCUMENTS,
    "EnsembleRetriever": ENSEMBLE,
}


async def searched(bot, question, **given):
    passages, run = await bot.search(question, **given)
    return passages, run.notices


@pytest.mark.parametrize("config", RETRIEVERS.values(), ids=RETRIEVERS)
async def test_a_retriever_of_langchain_finds_and_the_bot_cites(make_bot, config):
    bot = await make_bot(config)
    passages, notices = await searched(bot, "When is soup served?")
    assert passages[0].text == "Soup is served at noon."
    assert not notices
    assert passages[0].readers == {"everyone"}
    answer = [event async for event in bot.reply("When is soup served?")][-1].answer
    assert answer.outcome is Outcome.answered
    assert answer.citations[0].quote in TEXTS[1]


async def test_documents_say_themselves_who_may_read_them(make_bot):
    config = BM25.replace("k = 1", "k = 3") + f'readers = {{"{TEXTS[1]}" = ["group:hr"]}}\n'
    bot = await make_bot(config + '[groups]\nhr = ["email:ann@example.com"]\n')
    for given, finds in (({}, False), (HR, True)):
        passages, _ = await searched(bot, "When is soup served?", **given)
        assert (TEXTS[1] in {one.text for one in passages}) is finds
        assert TEXTS[0] in {one.text for one in passages}
    odd = await make_bot(config.replace('["group:hr"]', "5"))
    passages, _ = await searched(odd, "When is soup served?", **HR)
    assert TEXTS[1] not in {one.text for one in passages}, "what is not understood is nobody's"


async def test_a_retriever_says_who_may_read_it_and_receives_nothing_before_it_may(make_bot):
    with pytest.raises(ConfigError, match=r"found\.readers"):
        await make_bot(BM25.replace('readers = ["everyone"]\n', ""))
    bot = await make_bot(BM25.replace('may_receive = "all"\n', ""))
    with pytest.raises(BotError, match="None of the assistant's retrievers"):
        await bot.search("When is soup served?")


async def test_filters_and_places_come_from_metadata(make_bot):
    bot = await make_bot(BM25.replace("k = 1", "k = 3"))
    passages, _ = await searched(bot, "When is soup served?", filters={"source": "lifts"})
    assert [one.text for one in passages] == [TEXTS[2]]
    assert (passages[0].uri, passages[0].location) == ("lifts", "page 3")


RERANK = """
[assistants.default]
retrievers = ["better"]
[retrievers.better]
type = "langchain-rerank"
class = "langchain_toys.Longest"
retrievers = ["found"]
may_receive = "all"
"""


async def test_a_document_compressor_orders_what_others_find(make_bot):
    found = BM25.replace("k = 1", "k = 3").replace(
        '[assistants.default]\nretrievers = ["found"]\ngenerator = "local"\n', ""
    )
    bot = await make_bot(RERANK + found)
    passages, _ = await searched(bot, "When is soup served?")
    assert [one.text for one in passages] == [TEXTS[0], TEXTS[1]]


@pytest.mark.parametrize("allowed", ["nothing", "public", "all"])
async def test_a_reranker_elsewhere_is_given_what_it_may_receive(make_bot, monkeypatch, allowed):
    monkeypatch.setattr(langchain_toys.Longest, "seen", seen := [])
    found = BM25.replace("k = 1", "k = 3").replace(
        '[assistants.default]\nretrievers = ["found"]\ngenerator = "local"\n', ""
    )
    found += (
        f'readers = {{"{TEXTS[1]}" = ["group:hr"]}}\n[groups]\nhr = ["email:ann@example.com"]\n'
    )
    rerank = RERANK.replace('may_receive = "all"', f'may_receive = "{allowed}"')
    bot = await make_bot(rerank + found)
    if allowed == "nothing":
        with pytest.raises(BotError):
            await bot.search("When is soup served?", **HR)
    else:
        await bot.search("When is soup served?", **HR)
    assert (TEXTS[0] in seen) is (allowed != "nothing")
    assert (TEXTS[1] in seen) is (allowed == "all")


INDEXED = """
[sources.notes]
type = "langchain"
{loader}
[index]
embedder = "words"
splitter = "cut"
[embedders.words]
type = "langchain"
class = "langchain_toys.WordEmbeddings"
dimensions = {dimensions}
may_receive = "all"
[splitters.cut]
type = "langchain"
class = "langchain_text_splitters.RecursiveCharacterTextSplitter"
options = {{chunk_size = 60, chunk_overlap = 0}}
"""
LOADERS = {
    "TextLoader": """class = "langchain_community.document_loaders.TextLoader"
options = {file_path = {path = "notes.txt"}}""",
    "CSVLoader": """class = "langchain_community.document_loaders.CSVLoader"
options = {file_path = {path = "notes.csv"}, source_column = "name"}""",
    "of one's own": f"""class = "langchain_toys.Memory"
options = {{texts = [{LISTED}]}}""",
}


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
async def test_loaders_a_splitter_and_embeddings_make_an_index(make_bot, home, rows, loader):
    (home / "notes.txt").write_text("\n\n".join([*TEXTS, "One more line. " * 20]))
    lines = [f"{text.split()[0].lower()},{text}" for text in TEXTS]
    (home / "notes.csv").write_text("name,text\n" + "\n".join(lines))
    bot = await make_bot(INDEXED.format(loader=loader, dimensions=64))
    (progress,) = await bot.sync()
    assert progress.problems == []
    passages, _ = await searched(bot, "When is soup served?")
    assert "Soup is served at noon." in passages[0].text
    assert all(len(one.text) <= 60 for one in passages)
    (again,) = await bot.sync()
    assert again.changed == 0
    if "TextLoader" in loader:
        found, _ = await bot.search("One more line?", k=20)
        texts = [one.text for one in sorted(found, key=lambda one: one.start)]
        assert "".join("".join(texts).split()) == "".join((home / "notes.txt").read_text().split())


async def test_documents_of_a_loader_have_readers(make_bot):
    loader = f"""class = "langchain_toys.Memory"
[sources.notes.options]
texts = [{LISTED}]
readers = {{"{TEXTS[1]}" = ["group:hr"]}}
[groups]
hr = ["email:ann@example.com"]
"""
    bot = await make_bot(INDEXED.format(loader=loader, dimensions=64))
    await bot.sync()
    for given, finds in (({}, False), (HR, True)):
        passages, _ = await searched(bot, "When is soup served?", **given)
        assert (TEXTS[1] in {one.text for one in passages}) is finds


async def test_a_loader_that_fails_deletes_nothing_and_is_named(make_bot, rows):
    loader = 'class = "langchain_toys.Broken"'
    bot = await make_bot(INDEXED.format(loader=loader, dimensions=64))
    with pytest.raises(SourceError, match=r"langchain_toys\.Broken cannot read notes \(OSError\)"):
        await bot.sync()


async def test_vectors_of_another_length_are_refused(make_bot):
    loader = LOADERS["of one's own"]
    bot = await make_bot(INDEXED.format(loader=loader, dimensions=32))
    with pytest.raises((EmbeddingError, BotError), match="`dimensions`"):
        await bot.sync()


@pytest.mark.parametrize(
    ("class_", "options", "said"),
    [
        ("langchain_nowhere.Retriever", "", "pip install langchain-nowhere"),
        ("langchain_core.retrievers.Nothing", "", "has no Nothing"),
        ("langchain_toys.Memory", "options = {texts = []}", "which is no retriever"),
        ("langchain_toys.Memory", "options = {nonsense = 1}", r"cannot be made \(TypeError\)"),
    ],
)
async def test_what_cannot_be_made_says_why(make_bot, class_, options, said):
    bot = await make_bot(f'{RETRIEVE}\nclass = "{class_}"\n{options}')
    with pytest.raises(PluginError, match=said):
        await bot.component("retriever", "found")


def test_a_secret_in_the_options_is_a_reference_everywhere(home):
    (home / "key").write_text("sk-very-secret")
    given = {"key": {"file": "key"}, "at": {"path": "x"}, "list": [{"env": "NAME"}]}
    context = {"folder": home, "environ": {"NAME": "other-secret"}}
    about = {"class": "a.B", "dimensions": 2, "options": given}
    settings = EmbedderSettings.model_validate(about, context=context)
    assert settings.options["key"].reveal() == "sk-very-secret"
    assert settings.options["at"] == home / "x"
    written = settings.model_dump(mode="json")
    assert "secret" not in repr(settings) + repr(written).replace("key", "")
    assert EmbedderSettings.model_validate(written, context=context) == settings
