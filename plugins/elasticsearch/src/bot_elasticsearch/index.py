"""One Elasticsearch index a version: filled, changed, searched, dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.document import Chunk, IndexVersion
from bot.errors import IndexingError
from bot_elasticsearch import ElasticsearchSettings

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

_SECONDS = 60.0  # for one request; a search has the retriever's limit
_KEPT = {"type": "keyword", "index": False, "doc_values": False}


class Index:
    """The indexes of one bot on one server."""

    def __init__(self, settings: ElasticsearchSettings) -> None:
        self._settings = settings
        self._made: AsyncElasticsearch | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._made is not None:
            await self._made.close()

    def name(self, version: IndexVersion) -> str:
        """What a version's index is called."""
        return f"{self._settings.index}-{version.id}"

    async def begin(self, version: IndexVersion) -> None:
        """Make an empty index, whatever was there."""
        with self._translated():
            client = self._client()
            await client.options(ignore_status=404).indices.delete(index=self.name(version))
            await client.indices.create(index=self.name(version), mappings=_mappings(version))

    async def add(self, version: IndexVersion, chunks: Sequence[Chunk]) -> None:
        """Add chunks; one that is there already is replaced."""
        from elasticsearch.helpers import async_bulk

        async def actions() -> AsyncIterator[dict[str, Any]]:
            for chunk in chunks:
                yield {
                    "_index": self.name(version),
                    "_id": f"{chunk.document_id}-{chunk.ordinal}",
                    "_source": _source(chunk),
                }

        with self._translated():
            await async_bulk(self._client(), actions())

    async def delete(self, version: IndexVersion, documents: Sequence[int]) -> None:
        """Delete every chunk of these documents, at once for the next search."""
        with self._translated():
            await self.refresh(version)
            await self._client().delete_by_query(
                index=self.name(version),
                query={"terms": {"document": list(documents)}},
                conflicts="proceed",
                refresh=True,
            )

    async def change_readers(
        self, version: IndexVersion, readers: Mapping[int, Sequence[str]]
    ) -> None:
        """Change who may read documents, at once for the next search."""
        alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for document, who in readers.items():
            alike[tuple(who)].append(document)
        with self._translated():
            await self.refresh(version)
            for names, documents in alike.items():
                await self._client().update_by_query(
                    index=self.name(version),
                    query={"terms": {"document": documents}},
                    script={
                        "source": "ctx._source.readers = params.readers",
                        "params": {"readers": list(names)},
                    },
                    refresh=True,
                )

    async def refresh(self, version: IndexVersion) -> None:
        """Let searches see what was written."""
        with self._translated():
            await self._client().indices.refresh(index=self.name(version))

    async def promote(self, version: IndexVersion) -> None:
        """Point the alias at a version, in one step."""
        alias, every = f"{self._settings.index}-live", f"{self._settings.index}-*"
        with self._translated():
            await self._client().indices.update_aliases(
                actions=[
                    {"remove": {"index": every, "alias": alias, "must_exist": False}},
                    {"add": {"index": self.name(version), "alias": alias}},
                ]
            )

    async def drop(self, version: IndexVersion) -> None:
        """Give a version back."""
        with self._translated():
            await self._client().options(ignore_status=404).indices.delete(index=self.name(version))

    async def size(self, version: IndexVersion) -> int:
        """Bytes on disk."""
        with self._translated():
            found = await self._client().indices.stats(index=self.name(version), metric="store")
        return int(found["_all"]["primaries"]["store"]["size_in_bytes"])

    async def search(
        self, version: IndexVersion, searches: Sequence[Mapping[str, Any]]
    ) -> list[list[dict[str, Any]]]:
        """Run several searches in one request; the hits of each.

        Raises:
            IndexingError: the server refused one, or has no such index.
        """
        lines: list[Mapping[str, Any]] = []
        for one in searches:
            lines += [{"index": self.name(version)}, one]
        with self._translated():
            told = await self._client().msearch(searches=lines)
        found = []
        for answer in told["responses"]:
            if "error" in answer:
                reason = str(answer["error"].get("reason", "an error")).splitlines()[0][:200]
                raise IndexingError(
                    f"Elasticsearch cannot search {self.name(version)} ({reason}); run `bot "
                    "reindex --rebuild` when the retriever is newer than the index."
                )
            found.append([dict(hit) for hit in answer["hits"]["hits"]])
        return found

    def _client(self) -> AsyncElasticsearch:
        if self._made is None:
            from elasticsearch import AsyncElasticsearch

            if not self._settings.allowed:
                raise IndexingError(
                    f"{self._settings.url} is on another machine; nothing is sent there before "
                    '`may_receive = "all"` allows it.'
                )
            key = self._settings.api_key
            self._made = AsyncElasticsearch(
                self._settings.url,
                api_key=key.reveal() if key else None,
                request_timeout=_SECONDS,
            )
        return self._made

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the client's errors into ours.

        Raises:
            IndexingError: the server refused, or cannot be reached.
        """
        from elasticsearch import ApiError, TransportError
        from elasticsearch.helpers import BulkIndexError

        host = urlsplit(self._settings.url).hostname
        try:
            yield
        except (ApiError, BulkIndexError) as error:
            raise IndexingError(
                f"Elasticsearch on {host} refused ({str(error).splitlines()[0][:300]}); its log "
                "says more, and `api_key` may lack a right."
            ) from error
        except TransportError as error:
            raise IndexingError(
                f"Elasticsearch on {host} cannot be reached ({type(error).__name__}); check `url` "
                "and that it runs."
            ) from error


def _mappings(version: IndexVersion) -> dict[str, Any]:
    vector = {"type": "dense_vector", "dims": version.dimensions, "similarity": "dot_product"}
    return {
        "dynamic": False,
        "properties": {
            "text": {"type": "text"},
            "context": {"type": "text"},
            "vector": {**vector, "index": True},
            "document": {"type": "long"},
            "source": {"type": "keyword"},
            "readers": {"type": "keyword"},
            "metadata": {"type": "flattened", "ignore_above": 8000},
            "passage": _KEPT,
            "title": _KEPT,
            "uri": _KEPT,
        },
    }


def _source(chunk: Chunk) -> dict[str, Any]:
    return {
        "text": chunk.text,
        "context": chunk.context,
        "vector": [float(number) for number in chunk.vector],
        "document": chunk.document_id,
        "source": chunk.source,
        "readers": list(chunk.readers),
        "metadata": dict(chunk.metadata),
        "passage": chunk.id,
        "title": chunk.title,
        "uri": chunk.uri,
        "start": chunk.start,
        "end": chunk.end,
    }
