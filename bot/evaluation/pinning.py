"""What a comparison is of, so that no figure is of two things: settings, index version, revisions.

What bot.toml says is read once, and the index version is searched whichever is live meanwhile. What
a generator answers with beyond that, such as the live version of an adapter, can change between two
questions; the generator tells it by the hook `bot_revision`. Documents come and go as they are
synced: which there were is kept with each answer, and told where answers are of several states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot import asking, dispatch
from bot.errors import BotError, EvaluationError
from bot.evaluation.engine import Sheet
from bot.evaluation.results import QUERIES
from bot.evaluation.variants import Spec, Step

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.document import IndexVersion

_FEW = 3  # states that are told one by one


class Pinned:
    """The revisions that a comparison began with.

    Attributes:
        revisions: by generator, of those that tell one.
    """

    def __init__(
        self,
        bot: Bot,
        chosen: Sequence[Spec],
        revisions: Mapping[str, str],
        index: IndexVersion | None = None,
    ) -> None:
        self._bot = bot
        self._index = index
        self._generators = {one.name: list(one.about["generators"]) for one in chosen}
        self._exhausted = bot.spending.exhausted
        self.revisions = revisions

    @classmethod
    async def of(
        cls, bot: Bot, chosen: Sequence[Spec], index: IndexVersion | None = None
    ) -> Pinned:
        """Ask the generators of all variants.

        Args:
            index: the version that is searched.
        """
        names = sorted({each for one in chosen for each in one.about["generators"]})
        return cls(bot, chosen, await _revisions(bot, names), index)

    async def corpus(self) -> str:
        """Name the state of the documents in the index version; empty when there is none."""
        if self._index is None:
            return ""
        async with self._bot.database.connection() as connection:
            cursor = await connection.execute(QUERIES["corpus"], {"version": self._index.id})
            ((told,),) = await cursor.fetchall()
        return str(told)

    async def check(self, variant: str, evaluation: int) -> None:
        """Make sure that a variant's answer is of what it was to be of; called when it is there.

        Raises:
            EvaluationError: something else answers now, or a budget is used up.
        """
        if (exhausted := self._bot.spending.exhausted) != self._exhausted:
            raise EvaluationError(
                f"{exhausted[1]} What evaluation {evaluation} has measured is kept; give the same "
                "command again when there is money, and it goes on."
            )
        names = self._generators[variant]
        now = await _revisions(self._bot, names)
        for name in names:
            was, found = self.revisions.get(name, ""), now.get(name, "")
            if found and found != was:
                raise EvaluationError(
                    f"{name} answers with {found} now, and did with "
                    f"{was or 'something else'} when evaluation {evaluation} began; bring that "
                    "back to go on with it, or give the same command again to begin anew."
                )


async def _revisions(bot: Bot, names: Iterable[str]) -> dict[str, str]:
    """What answers beyond bot.toml; a generator that cannot be made tells nothing."""
    found = {}
    for name in names:
        try:
            plugin = await asking.resolve(bot._machinery(), "generator", name)
        except (BotError, TimeoutError):
            continue
        told, _ = await dispatch.first(
            bot.plugins.manager, "bot_revision", only={plugin}, timeout=bot.settings.limits.token
        )
        if isinstance(told, str) and told:
            found[name] = told
    return found


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say what two comparisons of the same variants differ in.

    Args:
        before: the settings that an evaluation keeps.
        now: those of another one.
    """
    told = []
    if before.get("index") != now.get("index"):
        told.append(f"index version {before.get('index')} is {now.get('index')} by now")
    was, found = before.get("revisions", {}), now.get("revisions", {})
    told += [f"{name} answers with {found.get(name)} and no more with {was.get(name)}"
             for name in sorted({*was, *found}) if was.get(name) != found.get(name)]  # fmt: skip
    old = {one["name"]: one for one in before.get("variants", ())}
    others = [one["name"] for one in now.get("variants", ()) if one != old.get(one["name"])]
    if others:
        told.append(f"bot.toml says something else of {', '.join(others)}")
    known = ("index", "revisions", "variants")
    told += [f"{key} is another" for key in sorted({*before, *now}.difference(known))
             if before.get(key) != now.get(key)]  # fmt: skip
    return told


def corpora(sheet: Sheet, steps: Sequence[Step]) -> dict[str, Counter[str]]:
    """Count in which states of the documents each variant that has them was asked."""
    return {
        step.name: Counter(trial.corpus for trial in sheet.trials[step.name] if trial.corpus)
        for step in steps
        if "documents" in step.means
    }


def mixed(sheet: Sheet, steps: Sequence[Step]) -> str:
    """Say that not all answers are from the same documents; empty when they are."""
    asked = corpora(sheet, steps)
    states = list(dict.fromkeys(state for counts in asked.values() for state in counts))
    if len(states) < 2:
        return ""
    each = {
        name: " and ".join(f"{n} of state {states.index(s) + 1}" for s, n in counts.items())
        if len(counts) <= _FEW
        else f"some of {len(counts)} states"
        for name, counts in asked.items()
    }
    told = "; ".join(f"answers of {name}: {counted}" for name, counted in each.items() if counted)
    return (
        "Documents have changed while this was measured, so that not all answers are from the same "
        f"ones ({told}); compare with --new while nothing is synced."
    )
