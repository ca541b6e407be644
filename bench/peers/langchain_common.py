"""What the peers of langchain-postgres share."""

from langchain_core.embeddings import Embeddings
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL


class Given(Embeddings):
    """The vectors are made already."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError

    def embed_query(self, text: str) -> list[float]:
        raise NotImplementedError


def url(conninfo: str) -> URL:
    parts = conninfo_to_dict(conninfo)
    return URL.create(
        "postgresql+psycopg",
        username=parts.get("user"),
        database=parts["dbname"],
        query={"host": parts["host"]},
    )
