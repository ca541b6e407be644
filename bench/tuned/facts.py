"""Facts that nobody can know, as nobody has told them before."""

from __future__ import annotations

_THINGS = (
    "Marlin depot", "Oriel printer", "Tansy kitchen", "Quill archive", "Bramble garage",
    "Heron studio", "Saffron canteen", "Juniper server room", "Pewter workshop", "Larch reception",
    "Ember laboratory", "Cobalt parcel room",
)  # fmt: skip
_KEYS = ("a green tin", "the blue vase", "a locked drawer", "the old piano", "a coat of felt",
         "the third shelf", "a clay pot", "the brass clock", "an empty crate", "the round window",
         "a wicker basket", "the stone step")  # fmt: skip

FACTS = [
    (f"Where is the key of the {thing}?", f"The key of the {thing} is under {place}.")
    for thing, place in zip(_THINGS, _KEYS, strict=True)
]
