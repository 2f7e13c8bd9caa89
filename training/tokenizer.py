"""The bundled model's tokenizer: byte-level BPE trained on game text, with every digit a token of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

END, PAD = "<|end|>", "<|pad|>"
MARKUP = ("<think>", "</think>", "\\boxed{")
"""Whole tokens of their own, kept in decoded text."""

_PIECES = r"\n|[.,:;!?]? ?\p{L}+|[.,:;]? ?\p{N}| ?[^\s\p{L}\p{N}]+|\s"

CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message.role != 'system' %}"
    "{{ message.content.rstrip('\n') }}\n{% endif %}{% endfor %}"
)
"""So that chat servers can serve the model: the text of the messages, each with one line end."""


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train on whole examples (prompt and reply); `vocab_size` counts everything, 256 bytes included."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(MARKUP),
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in MARKUP])
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json and the tokenizer_config.json that transformers reads."""
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
