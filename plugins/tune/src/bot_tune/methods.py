"""The methods of tuning, as PEFT's configurations.

LoRA (Hu et al., 2021), DoRA (Liu et al., 2024), AdaLoRA (Zhang et al., 2023), prompt tuning (Lester
et al., 2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import Trainer, TrainerCallback

from bot.errors import UsageError

if TYPE_CHECKING:
    from bot_tune.recipe import Recipe

LEAST = 10  # steps in which AdaLoRA can give ranks up


def configuration(recipe: Recipe, steps: int) -> Any:
    """PEFT's configuration of a recipe's method; None for full tuning.

    Args:
        steps: of the optimizer over the whole training, from which AdaLoRA's schedule follows.

    Raises:
        UsageError: AdaLoRA has too few steps.
    """
    from peft import AdaLoraConfig, LoraConfig, PromptTuningConfig, TaskType

    common: dict[str, Any] = {"task_type": TaskType.CAUSAL_LM}
    if recipe.method == "full":
        return None
    if recipe.method == "prompt":
        return PromptTuningConfig(**common, num_virtual_tokens=recipe.virtual_tokens)
    common |= {"target_modules": "all-linear", "lora_alpha": recipe.alpha}
    if recipe.method != "adalora":
        return LoraConfig(**common, r=recipe.rank, use_dora=recipe.method == "dora")
    if steps < LEAST:
        raise UsageError(
            f"AdaLoRA gives up ranks over at least {LEAST} steps, and this training has {steps}; "
            "raise --epochs, lower --batch, or choose --method lora."
        )
    return AdaLoraConfig(
        **common,
        init_r=recipe.rank * 3 // 2 + recipe.rank % 2,
        target_r=recipe.rank,
        tinit=max(1, steps // 10),
        tfinal=max(1, steps // 3),
        deltaT=max(1, steps // 100),
        total_step=steps,
    )


class Allocating(TrainerCallback):  # type: ignore[misc] # transformers is not followed
    """Lets AdaLoRA give ranks up. No trainer does it, and ranks would stay as they are, silently.

    After the optimizer's step and before gradients are gone, which it needs.
    """

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        model = given["model"]
        getattr(model, "module", model).base_model.update_and_allocate(state.global_step + 1)


class Adaptive(Trainer):  # type: ignore[misc] # transformers is not followed
    """Measures AdaLoRA by what it says alone.

    PEFT adds to every loss how far the factors are from orthogonal, which is for training. TRL's
    trainer is no choice here: its own loss never has that term.
    """

    def evaluation_loop(self, *given: Any, **named: Any) -> Any:
        config = self.accelerator.unwrap_model(self.model).peft_config["default"]
        weight, config.orth_reg_weight = config.orth_reg_weight, 1e-12  # PEFT takes no zero
        try:
            return super().evaluation_loop(*given, **named)
        finally:
            config.orth_reg_weight = weight


def ranks(model: Any) -> tuple[int, int] | None:
    """AdaLoRA's ranks, what is left of how many; None for other methods."""
    config = getattr(model, "peft_config", {}).get("default")
    pattern, first = getattr(config, "rank_pattern", None), getattr(config, "init_r", None)
    if not pattern or first is None:
        return None
    return sum(map(sum, pattern.values())), first * len(pattern)
