"""Text to ids and back, with the tokenizer file of a model folder. Loads no torch.

Replies repeat a lot in self-play, so they are remembered: whole ones, never pieces, so that the text is always the
tokenizer's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.engines.loading import ModelFolder, load_tokenizer, read_json

_REMEMBERED = 1 << 14
_TAG = re.compile(r"<[^<>]*>")
_ROUNDS = 8
"""How often a text is looked through for control tokens that appear where others were broken up."""


class TextCodec:
    """The tokenizer of one model folder; satisfies `arena.prompts.Chat`."""

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._tokenizer = load_tokenizer(folder.path)
        added = self._tokenizer.get_added_tokens_decoder()
        control = {id: token for id, token in added.items() if token.special or _TAG.fullmatch(token.content.strip())}
        self._control = frozenset(control)
        texts = sorted((token.content for token in control.values() if token.content.strip()), key=len, reverse=True)
        self.controls = tuple(texts)
        """Control tokens, longest first: what `neutral` breaks up."""
        self._controls = re.compile("|".join(map(re.escape, texts)) or "(?!)")
        self._folds = self._tokenizer.normalizer is not None and any(token.normalized for token in control.values())
        self._begin = self._opening()
        self._renderer: Any = None
        self.decode = lru_cache(_REMEMBERED)(self._decode)

    def neutral(self, text: str) -> str:
        """Text of the game with the model's control tokens broken up, so that no player can forge a turn.

        `<think>` and other tags are control tokens too, whether the tokenizer calls them special or not.
        """
        for _ in range(_ROUNDS):
            broken = self._controls.sub(lambda found: _broken(found[0]), text)
            if broken == text:
                break
            text = broken
        return self._unfolded(text) if self._folds else text

    def _unfolded(self, text: str) -> str:
        """The text without what only the tokenizer's own normalisation would make a control token."""
        for _ in range(_ROUNDS):
            encoding = self._tokenizer.encode(text, add_special_tokens=False)
            found = [span for id, span in zip(encoding.ids, encoding.offsets, strict=True) if id in self._control]
            for start, end in reversed(found):
                text = text[:start] + _broken(text[start:end]) + text[end:]
            if not found:
                break
        return text

    def chat(self, messages: list[dict[str, str]]) -> str:
        """Render the folder's chat template (untrusted; transformers runs it in a sandbox)."""
        if self._renderer is None:
            self._renderer = self._load_renderer()
        try:
            return str(self._renderer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        except Exception as error:  # a template may raise anything
            raise ArenaError(
                f"The chat template of {one_line(str(self._folder.path))} fails: {one_line(str(error))}."
            ) from None

    def _load_renderer(self) -> Any:
        template = self._folder.chat_template
        if template is None:
            raise ArenaError(
                f"{one_line(str(self._folder.path))} has no chat template.", "Use ?style=base or ?style=compact."
            )
        from transformers import PreTrainedTokenizerFast

        named = read_json(self._folder.path / "tokenizer_config.json")
        special = {name: _content(named[name]) for name in ("bos_token", "eos_token", "pad_token") if named.get(name)}
        fast: Any = PreTrainedTokenizerFast
        return fast(tokenizer_object=self._tokenizer, chat_template=template, **special)

    def encode(self, text: str) -> tuple[int, ...]:
        """The ids of a whole input, with the token that the model's texts begin with where it has one, once."""
        ids = tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)
        return ids if ids[:1] == self._begin else self._begin + ids

    def _opening(self) -> tuple[int, ...]:
        """The begin token of tokenizer_config.json, where the tokenizer itself puts it before texts; else nothing."""
        named = read_json(self._folder.path / "tokenizer_config.json").get("bos_token")
        first = tuple(self._tokenizer.encode("", add_special_tokens=True).ids[:1])
        return first if named and first == (self._tokenizer.token_to_id(_content(named)),) else ()

    def _decode(self, ids: tuple[int, ...]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def partial(self, ids: Sequence[int]) -> str:
        """The text so far, without the piece of a character that is not whole yet."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True)).rstrip("\ufffd")


def _broken(token: str) -> str:
    return f"{token[0]} {token[1:]}" if len(token) > 1 else "\ufffd"


def _content(token: object) -> str:
    return str(token["content"]) if isinstance(token, dict) else str(token)
