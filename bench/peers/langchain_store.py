"""langchain-postgres storing the same chunks; run by bench/store.py in its own environment.

Prints rows a second as JSON: without an index, and into one that is complete.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from langchain_common import Given, url
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.indexes import DistanceStrategy, HNSWIndex


def main() -> None:
    folder, conninfo, first, batch = (
        Path(sys.argv[1]),
        sys.argv[2],
        int(sys.argv[3]),
        int(sys.argv[4]),
    )
    texts = json.loads((folder / "texts.json").read_text())
    vectors = np.load(folder / "vectors.npy").tolist()
    engine = PGEngine.from_connection_string(url=url(conninfo))
    engine.init_vectorstore_table("peer", 384)
    store = PGVectorStore.create_sync(
        engine, Given(), "peer", distance_strategy=DistanceStrategy.INNER_PRODUCT
    )

    def add(start: int, end: int) -> float:
        started = time.perf_counter()
        for at in range(start, end, batch):
            to = min(at + batch, end)
            store.add_embeddings(texts[at:to], vectors[at:to])
        return (end - start) / (time.perf_counter() - started)

    rates = {"langchain-postgres": add(0, first)}
    store.apply_vector_index(HNSWIndex(distance_strategy=DistanceStrategy.INNER_PRODUCT))
    rates["langchain-postgres, live"] = add(first, len(texts))
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
