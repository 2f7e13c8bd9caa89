"""A random model folder of either family for tests and benchmarks: the bundled model's shape unless told otherwise."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

END = "<|end|>"


LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
"""Scaled rotary positions whose three ranges all occur at these sizes."""


def make(
    folder: Path, seed: int = 0, spread: float = 0.25, end: bool = True, family: str = "qwen3", shards: int = 1,
    dtype: torch.dtype = torch.float32, **config: Any,
) -> Path:  # fmt: skip
    """Write config, weights, tokenizer and spiral_arena.json. `spread` is the weights' standard deviation."""
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    sizes = {
        "vocab_size": 512,
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
    } | config
    torch.manual_seed(seed)
    ids = {"bos_token_id": None, "eos_token_id": 0 if end else None, "pad_token_id": 1}
    model: Any
    if family == "qwen3":
        model = Qwen3ForCausalLM(Qwen3Config(**sizes, **ids))
    else:
        model = LlamaForCausalLM(LlamaConfig(**sizes, **ids))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * spread * (0.3 if parameter.dim() == 1 else 1.0))
    described = model.config.to_dict() | {"architectures": [type(model).__name__]}
    (folder / "config.json").write_text(json.dumps(described, default=str))
    tensors = {name: tensor.contiguous().to(dtype) for name, tensor in model.state_dict().items()}
    if sizes["tie_word_embeddings"]:
        del tensors["lm_head.weight"]
    _save(folder, tensors, shards)
    _tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": END, "pad_token": "<|pad|>"}))
    (folder / "spiral_arena.json").write_text(json.dumps({"style": "compact", "sampling": {"max_tokens": 24}}))
    return folder


def _save(folder: Path, tensors: dict[str, torch.Tensor], shards: int) -> None:
    """One file, or several with their index, as hubs cut large models."""
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    names, where = list(tensors), {}
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = {name: tensors[name] for name in names[shard::shards]}
        save_file(part, folder / file, metadata={"format": "pt"})
        where |= dict.fromkeys(part, file)
    index = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def reference(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """The same model in transformers."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=dtype).eval()


def _tokenizer() -> Tokenizer:
    """Bytes, with the end token at 0, padding at 1, and pairs of letters that only a reply can hold, up to 511."""
    vocabulary = {END: 0, "<|pad|>": 1}
    for byte in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[byte] = len(vocabulary)
    letters = "abcdefghijklmnop"
    vocabulary |= {first + second: 258 + n for n, (first, second) in enumerate(product(letters, letters)) if n < 254}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END, special=True), AddedToken("<|pad|>", special=True)])
    return tokenizer
