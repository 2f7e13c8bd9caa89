"""A random Qwen3 model folder for tests and benchmarks: the bundled model's shape unless told otherwise."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

END = "<|end|>"


def make(folder: Path, seed: int = 0, spread: float = 0.25, end: bool = True, **config: Any) -> Path:
    """Write config, weights, tokenizer and spiral_arena.json. `spread` is the weights' standard deviation."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

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
    model = Qwen3ForCausalLM(Qwen3Config(**sizes, bos_token_id=None, eos_token_id=0 if end else None, pad_token_id=1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * spread * (0.3 if parameter.dim() == 1 else 1.0))
    described = model.config.to_dict() | {"architectures": ["Qwen3ForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(described, default=str))
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if sizes["tie_word_embeddings"]:
        del tensors["lm_head.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": END, "pad_token": "<|pad|>"}))
    (folder / "spiral_arena.json").write_text(json.dumps({"style": "compact", "sampling": {"max_tokens": 24}}))
    return folder


def reference(folder: Path) -> Any:
    """The same model in transformers."""
    from transformers import Qwen3ForCausalLM

    return Qwen3ForCausalLM.from_pretrained(folder, local_files_only=True).eval()


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
