"""langchain-postgres searching the same chunks; run by bench/query.py in its own environment.

Prints the milliseconds of each question as JSON.
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
    folder, conninfo = Path(sys.argv[1]), sys.argv[2]
    texts = json.loads((folder / "texts.json").read_text())
    vectors = np.load(folder / "vectors.npy").tolist()
    questions = np.load(folder / "questions.npy").tolist()
    engine = PGEngine.from_connection_string(url=url(conninfo))
    engine.init_vectorstore_table("peer", 384)
    store = PGVectorStore.create_sync(
        engine, Given(), "peer", distance_strategy=DistanceStrategy.INNER_PRODUCT
    )
    for at in range(0, len(texts), 1000):
        store.add_embeddings(texts[at : at + 1000], vectors[at : at + 1000])
    store.apply_vector_index(HNSWIndex(distance_strategy=DistanceStrategy.INNER_PRODUCT))
    times = []
    for number in range(-20, len(questions)):  # the first ones warm up
        started = time.perf_counter()
        store.similarity_search_by_vector(questions[number], k=10)
        times.append((time.perf_counter() - started) * 1000)
    print(json.dumps(times[20:]))


if __name__ == "__main__":
    main()
