"""What stands in an answer where another generator goes on, in the language of the question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.phrases import language


@dataclass(frozen=True, slots=True)
class Words:
    """The phrases of one language.

    Attributes:
        weak: the answer above is not certain, and `{name}` answers anew.
        broken: the answer above broke off, and `{name}` answers anew.
        stands: what is above broke off, and what `{name}` has said before it stands.
    """

    weak: str
    broken: str
    stands: str


_WORDS: Mapping[str, Words] = {
    "en": Words(
        "The answer above is not certain. {name} answers again:",
        "The answer above broke off. {name} answers again:",
        "This broke off. What {name} has said above stands.",
    ),
    "de": Words(
        "Die Antwort oben ist nicht sicher. {name} antwortet noch einmal:",
        "Die Antwort oben brach ab. {name} antwortet noch einmal:",
        "Hier brach es ab. Es gilt, was {name} oben geantwortet hat.",
    ),
    "fr": Words(
        "La réponse ci-dessus n’est pas sûre. {name} répond à nouveau :",
        "La réponse ci-dessus s’est interrompue. {name} répond à nouveau :",
        "La réponse s’est interrompue ici. Ce que {name} a dit plus haut reste valable.",
    ),
    "es": Words(
        "La respuesta anterior no es segura. {name} responde de nuevo:",
        "La respuesta anterior se interrumpió. {name} responde de nuevo:",
        "Aquí se interrumpió. Vale lo que {name} ha dicho arriba.",
    ),
    "it": Words(
        "La risposta qui sopra non è certa. {name} risponde di nuovo:",
        "La risposta qui sopra si è interrotta. {name} risponde di nuovo:",
        "Qui si è interrotta. Vale ciò che {name} ha detto sopra.",
    ),
    "pt": Words(
        "A resposta acima não é certa. {name} responde de novo:",
        "A resposta acima foi interrompida. {name} responde de novo:",
        "Aqui foi interrompida. Vale o que {name} disse acima.",
    ),
    "nl": Words(
        "Het antwoord hierboven is niet zeker. {name} antwoordt opnieuw:",
        "Het antwoord hierboven brak af. {name} antwoordt opnieuw:",
        "Hier brak het af. Wat {name} hierboven zei, geldt.",
    ),
    "ru": Words(
        "Ответ выше ненадёжен. {name} отвечает ещё раз:",
        "Ответ выше оборвался. {name} отвечает ещё раз:",
        "Здесь ответ оборвался. В силе то, что {name} сказал выше.",
    ),
    "zh": Words(
        "以上回答不够可靠，由 {name} 重新回答：",
        "以上回答中断了，由 {name} 重新回答：",
        "回答到此中断，以上 {name} 的回答仍然有效。",
    ),
    "ja": Words(
        "上の回答は確実ではありません。{name} がもう一度お答えします：",
        "上の回答は途中で切れました。{name} がもう一度お答えします：",
        "ここで途切れました。上の {name} の回答をご覧ください。",
    ),
    "ko": Words(
        "위의 답변은 확실하지 않습니다. {name}이(가) 다시 답합니다:",
        "위의 답변이 중단되었습니다. {name}이(가) 다시 답합니다:",
        "여기서 중단되었습니다. 위의 {name}의 답변이 유효합니다.",
    ),
}


def words(question: str) -> Words:
    """The phrases in the language of a question."""
    return _WORDS[language(question)]
