"""Write reference.json and reference.npy: what sentence-transformers computes in float32.

    PYTHON plugins/minilm/tests/make_reference.py MODEL_FOLDER

PYTHON has sentence-transformers; MODEL_FOLDER holds the official all-MiniLM-L6-v2.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
LONG = (
    "The index holds vectors; a query searches them. Naïve façades, 東京 and 3.14 are in it too. "
)
TEXTS = [
    "How do I reset my password?",
    "",
    "如何重置我的密码？请联系管理员。",
    "パスワードを再設定するにはどうすればよいですか",
    "비밀번호를 재설정하려면 어떻게 해야 하나요?",
    "Deploy it 🚀🚀, then celebrate 🎉 👩‍👩‍👧‍👦!",
    "def main(argv: list[str]) -> int:\n\treturn run(argv)  # \x00 control \x07 characters",
    LONG * 40,
    "a" * 5000 + " is one unknown word",
]

if __name__ == "__main__":
    import numpy as np
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(sys.argv[1], device="cpu")
    (HERE / "reference.json").write_text(json.dumps(TEXTS) + "\n")
    np.save(HERE / "reference.npy", model.encode(TEXTS).astype(np.float32))
