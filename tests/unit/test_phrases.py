"""The bot's own words come in the language of the question."""

import pytest

from bot.phrases import _PHRASES, language, phrases, refusal


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How do I reset my password?", "en"),
        ("Wie setze ich mein Passwort zurück?", "de"),
        ("Comment puis-je réinitialiser mon mot de passe ?", "fr"),
        ("¿Cómo puedo restablecer mi contraseña?", "es"),
        ("Come posso reimpostare la mia password?", "it"),
        ("Como posso redefinir a minha senha?", "pt"),
        ("Hoe kan ik mijn wachtwoord opnieuw instellen?", "nl"),
        ("Как сбросить пароль?", "ru"),
        ("如何重置密码？", "zh"),
        ("パスワードを再設定するには？", "ja"),
        ("비밀번호를 어떻게 재설정하나요?", "ko"),
        ("Kubernetes 1.29?", "en"),
        ("", "en"),
    ],
)
def test_the_language_of_a_question(question, expected):
    assert language(question) == expected


def test_every_language_has_every_phrase():
    for said in _PHRASES.values():
        assert said.nothing
        assert said.looked
        assert "{question}" in said.approved


def test_the_phrases_follow_the_question():
    assert phrases("Wo ist der Drucker?").nothing.startswith("In den Quellen")


def test_a_refusal_names_three_things_that_were_looked_at_in_one_line():
    said = refusal("Where is it?", ["b\nb", "", "b b", "a" * 100, "c", "d"])
    assert said.splitlines()[1] == f"I looked at: b b; {'a' * 80}…; c"
    assert refusal("Where is it?", []) == phrases("Where?").nothing
