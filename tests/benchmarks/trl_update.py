"""TRL's trainer on a prepared batch, without its generation: the other end of `learner.py --trl-python`.

    PYTHON trl_update.py MODEL BATCH.json GRADIENT.pt

Runs in an environment with trl, which need not have this project. Answers each line of standard input, the rows of
a micro-batch, with the seconds of one update; first writes the gradient of the batch's `check` turns to a file.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

Turn = tuple[list[int], list[int], list[float], float]
"""Prompt ids, reply ids, the reply's old log-probabilities, advantage."""


class Prepared(GRPOTrainer):
    """Takes a micro-batch as it is given, where TRL would generate one."""

    def _prepare_inputs(self, generation_batch: dict[str, Any]) -> dict[str, Any]:
        return generation_batch


def trainer(model: str, options: dict[str, Any], scratch: str) -> Prepared:
    tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
    config = GRPOConfig(
        output_dir=scratch, loss_type="dr_grpo", beta=0.0, epsilon=options["clip"], num_generations=2,
        max_completion_length=options["max_tokens"], learning_rate=options["lr"], adam_beta1=options["beta1"],
        adam_beta2=options["beta2"], weight_decay=0.0, max_grad_norm=options["clip_norm"], optim="adamw_torch_fused",
        gradient_checkpointing=False, bf16=False, use_cpu=True, report_to=[], logging_strategy="no",
        per_device_train_batch_size=2, disable_dropout=True,
    )  # fmt: skip
    network = AutoModelForCausalLM.from_pretrained(model, local_files_only=True, dtype=torch.float32)
    made = Prepared(
        model=network, reward_funcs=lambda completions, **_: [0.0] * len(completions), args=config,
        train_dataset=Dataset.from_list([{"prompt": "x"}] * 4), processing_class=tokenizer,
    )  # fmt: skip
    made.create_optimizer()
    return made


def padded(turns: list[Turn], prompt: int, reply: int) -> dict[str, torch.Tensor]:
    """Prompts padded on the left and replies on the right, as TRL does, to the longest of the whole batch."""
    left = [prompt - len(turn[0]) for turn in turns]
    right = [reply - len(turn[1]) for turn in turns]
    pairs = list(zip(turns, left, right, strict=True))
    return {
        "prompt_ids": torch.tensor([[0] * pad + turn[0] for turn, pad, _ in pairs]),
        "prompt_mask": torch.tensor([[0] * pad + [1] * len(turn[0]) for turn, pad, _ in pairs]),
        "completion_ids": torch.tensor([turn[1] + [0] * pad for turn, _, pad in pairs]),
        "completion_mask": torch.tensor([[1] * len(turn[1]) + [0] * pad for turn, _, pad in pairs]),
        "old_per_token_logps": torch.tensor([turn[2] + [0.0] * pad for turn, _, pad in pairs]),
        "advantages": torch.tensor([turn[3] for turn in turns]),
    }


def update(subject: Prepared, parts: list[list[Turn]], rows: int) -> None:
    """One optimiser step on each minibatch, its gradient accumulated over micro-batches."""
    turns = [turn for part in parts for turn in part]
    prompt, reply = max(len(turn[0]) for turn in turns), max(len(turn[1]) for turn in turns)
    for part in parts:
        cuts = range(0, len(part), rows)
        subject.current_gradient_accumulation_steps = len(cuts)
        for start in cuts:
            subject.training_step(subject.model, padded(part[start : start + rows], prompt, reply), None)
        subject.accelerator.clip_grad_norm_(subject.model.parameters(), subject.args.max_grad_norm)
        subject.optimizer.step()
        subject.model.zero_grad()
    subject._metrics["train"].clear()


def main() -> None:
    torch.set_num_threads(1)
    model, batch, gradient = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr
    with open(batch, encoding="utf-8") as file:
        data = json.load(file)
    with tempfile.TemporaryDirectory() as scratch:
        subject = trainer(model, data["options"], scratch)
        check = data["check"]
        subject.current_gradient_accumulation_steps = 1
        longest = max(len(turn[0]) for turn in check), max(len(turn[1]) for turn in check)
        subject.training_step(subject.model, padded(check, *longest), None)
        torch.save({name: p.grad for name, p in subject.model.named_parameters()}, gradient)
        subject.model.zero_grad()
        start = {name: tensor.clone() for name, tensor in subject.model.state_dict().items()}
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            name, rows = line.split()
            subject.model.load_state_dict(start)
            cpu, wall = time.process_time(), time.perf_counter()
            update(subject, data[name], int(rows))
            print(time.process_time() - cpu, time.perf_counter() - wall, file=answers, flush=True)


if __name__ == "__main__":
    main()
