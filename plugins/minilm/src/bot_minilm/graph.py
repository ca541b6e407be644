"""The model's transformer as an OpenVINO graph, built from its weights.

BERT (Devlin et al., arXiv:1810.04805) as MiniLM uses it (Wang et al., arXiv:2002.10957): 6 layers,
12 heads, 384 dimensions, layer norm after each residual, exact GELU. The embedding tables stay
outside: looking a token up is a row of a mapped file, and half of the weights are never read.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LAYERS, HEADS, DIMENSIONS = 6, 12, 384
LAYER_NORM_EPSILON = 1e-12
MASKED = 1e4  # subtracted from the scores of padding


def compiled(weights: Mapping[str, NDArray[np.float32]]) -> Any:
    """Compile the transformer for this processor.

    Returns:
        An `openvino.CompiledModel`: embedded tokens, float32 (batch, length, 384), and a mask,
        float32 (batch, length), 1 for tokens and 0 for padding; to hidden states, float32
        (batch, length, 384).
    """
    openvino = _openvino()
    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": precision(),
        "PERFORMANCE_HINT": "THROUGHPUT",  # several requests at once, each on a few cores
        "ENABLE_HYPER_THREADING": False,
        "ENABLE_CPU_PINNING": False,  # workers on one machine would be pinned to the same cores
    }
    return core.compile_model(_model(weights), "CPU", settings)


def precision() -> str:
    """Return `bf16` where the processor multiplies in it, else `f32`: emulated it does not pay."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "f32"
    return "bf16" if "amx_bf16" in flags or "avx512_bf16" in flags else "f32"


def _openvino() -> Any:
    """Import OpenVINO without its conversion tools.

    They cost half of the import's time, and importing them reports to Intel over the network.
    """
    tools = "openvino.tools.ovc"
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    hide = "openvino" not in sys.modules and tools not in sys.modules
    if hide:
        sys.modules[tools] = None  # type: ignore[assignment]
    try:
        import openvino  # type: ignore[import-untyped]
        import openvino.opset13  # type: ignore[import-untyped]
    finally:
        if hide:
            del sys.modules[tools]
    return openvino


def _model(weights: Mapping[str, NDArray[np.float32]]) -> Any:
    import numpy as np
    from openvino import Model
    from openvino import opset13 as op

    def layer_norm(x: Any, name: str) -> Any:
        normal = op.mvn(x, op.constant([2]), True, LAYER_NORM_EPSILON, "inside_sqrt")
        return op.add(op.multiply(normal, weight(f"{name}.weight")), weight(f"{name}.bias"))

    def linear(x: Any, name: str) -> Any:
        product = op.matmul(x, weight(f"{name}.weight"), False, True)
        return op.add(product, weight(f"{name}.bias"))

    def weight(name: str) -> Any:
        return op.constant(weights[name], shared_memory=True)

    def split_heads(x: Any) -> Any:  # (batch, heads, length, 32)
        shape = op.constant([0, 0, HEADS, DIMENSIONS // HEADS])
        return op.transpose(op.reshape(x, shape, True), op.constant([0, 2, 1, 3]))

    def attention(x: Any, name: str) -> Any:
        query, key, value = (
            split_heads(linear(x, f"{name}.self.{part}")) for part in ("query", "key", "value")
        )
        scale = op.constant(np.float32((DIMENSIONS // HEADS) ** -0.5))
        scores = op.add(op.multiply(op.matmul(query, key, False, True), scale), padding)
        mixed = op.matmul(op.softmax(scores, -1), value, False, False)
        mixed = op.transpose(mixed, op.constant([0, 2, 1, 3]))
        joined = op.reshape(mixed, op.constant([0, 0, DIMENSIONS]), True)
        return linear(joined, f"{name}.output.dense")

    embedded = op.parameter([-1, -1, DIMENSIONS], np.float32)
    mask = op.parameter([-1, -1], np.float32)
    bias = op.multiply(
        op.subtract(mask, op.constant(np.float32(1))), op.constant(np.float32(MASKED))
    )
    padding = op.unsqueeze(bias, op.constant([1, 2]))  # (batch, 1, 1, length)
    x = layer_norm(embedded, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        attended = op.add(x, attention(x, f"{name}.attention"))
        x = layer_norm(attended, f"{name}.attention.output.LayerNorm")
        wide = op.gelu(linear(x, f"{name}.intermediate.dense"), "erf")
        x = layer_norm(op.add(x, linear(wide, f"{name}.output.dense")), f"{name}.output.LayerNorm")
    return Model([op.result(x)], [embedded, mask], "minilm")
