"""The language of a document, as an ISO 639-1 code."""

from __future__ import annotations

import re
import threading
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

ENOUGH = 20  # letters; fewer say too little
SURE = 0.9  # probability from which on a language is told
NONE = "zxx"  # ISO 639-2: no language, such as code

_SAMPLE = 4000  # characters
_NO_PROSE = re.compile(
    r"^(?P<fence>```|~~~).*?^(?P=fence)|`[^`\n]*`|<[^>\n]{1,300}>|https?://\S+|\]\([^)\s]*\)",
    re.DOTALL | re.MULTILINE,
)
_loading = threading.Lock()


def language(text: str) -> str:
    """Detect the language of a text's prose; nothing when it is too short or not clear."""
    sample = _NO_PROSE.sub(" ", text[: 4 * _SAMPLE])[:_SAMPLE]
    if sum(map(str.isalpha, sample)) < ENOUGH:
        return ""
    with _loading:
        identifier = _identifier()
    code, probability = identifier.classify(sample)
    return str(code) if probability >= SURE and len(code) == 2 else ""


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Without the dialects that are written like another: Chinese would seldom be sure.
    identifier.set_languages([code for code in identifier.labels if len(code) == 2 or code == NONE])
    return identifier
