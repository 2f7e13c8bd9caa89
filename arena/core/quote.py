r"""What players say, made fit to be read by other players: no line, tag or token in it can pass for the host's.

`safe_line` is for games, which quote talk. `without_tags` is for prompts that go to a server, whose tokenizer nobody
here can ask; models of ours ask their own tokenizer (`arena.engines.text`).
"""

from __future__ import annotations

import re
import unicodedata

from arena.core.sanitise import plain

_RANGES = (
    *range(0x0F3A, 0x0F3E), *range(0x169B, 0x169D), *range(0x2018, 0x2020), *range(0x2039, 0x203B),
    *range(0x2045, 0x2047), *range(0x207D, 0x208F), *range(0x2308, 0x230C), *range(0x2329, 0x232B),
    *range(0x275B, 0x2776), *range(0x27C5, 0x27C7), *range(0x27E6, 0x27F0), *range(0x2983, 0x2999),
    *range(0x29D8, 0x29DC), *range(0x29FC, 0x29FE), *range(0x2E00, 0x2E5D), *range(0x3008, 0x3020),
    *range(0xFD3E, 0xFD40),
)  # fmt: skip
"""Where Unicode has brackets and quotation marks, but for those that NFKC turns into others."""
_BY_CATEGORY = {"Ps": "(", "Pe": ")", "Pi": "'", "Pf": "'"}
_HARMLESS = {
    code: _BY_CATEGORY[category] for code in _RANGES if (category := unicodedata.category(chr(code))) in _BY_CATEGORY
}
_HARMLESS |= str.maketrans(dict.fromkeys('"«»“”„‟‚`´ʹʺʻʼʽˊˋˮ׳״′‵❛❜❝❞❟❠〃〝〞〟', "'"))
_HARMLESS |= str.maketrans({"<": "(", "{": "(", "}": ")", "\\": "/", "▁": "_", "˂": "(", "˃": ")", "ᐸ": "(", "ᐳ": ")"})
_CLOSING = re.compile(r"(?<!-)>")
_QUOTES = re.compile(r"''+")


def safe_line(text: str) -> str:
    """The text as one line of visible characters without double quotes, braces, backslashes or angle brackets.

    Look-alikes of quotation marks and brackets become `'`, `(` and `)`; `->` and square brackets stay, since moves are
    written with them. `safe_line(safe_line(t)) == safe_line(t)`.
    """
    text = unicodedata.normalize("NFKC", plain(" ".join(text.split()), len(text)))
    return _QUOTES.sub("'", _CLOSING.sub(")", " ".join(text.split()).translate(_HARMLESS)))


_TAGS = (
    r"<[|｜][^<>\s]{1,80}>",  # ChatML, Qwen, Llama 3, Phi, GLM, Cohere, gpt-oss, Kimi, Granite; DeepSeek
    r"<[^<>\s]{1,80}[|｜]>",  # Gemma's closing tags
    r"</?(?:s|bos|eos|pad|unk|mask|sep|cls|sop|eop|eod|image|audio|video)>",  # Llama 2, Gemma, GLM, and many more
    r"</?(?:think|thinking|reasoning|tool_call|tool_calls|tool_response|tools|function_call)>",  # Qwen, DeepSeek
    r"<(?:start|end)_of_\w{1,20}>|<(?:unused|reserved_|extra_id_)\d{1,6}>|<[A-Z]{2,4}_TOKEN>",  # Gemma, Cohere
    r"<[a-z]{2,10}:[a-z_]{2,40}>|</[a-z]{2,10}:[a-z_]{2,40}>",  # Seed
    r"<</?SYS>>",  # Llama 2
    r"\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CONTENT|TOOL_CALLS)\]",  # Mistral
    r"\[/?(?:ARGS|CALL_ID|THINK|IMG|PREFIX|MIDDLE|SUFFIX)\]",  # Mistral
    r"\[(?:gMASK|sMASK|MASK|CLS|SEP|PAD|UNK|BOS|EOS)\]",  # GLM, BERT
    r"\]~!?b[\[\]]|\[e~\[",  # MiniMax
    r"\|\|\|[A-Z_]{2,40}\|\|\||>>[A-Z_]{2,40}<<",  # OLMo, Falcon
)
"""Control strings of known families of models, as their chat templates and tokenizers have them."""
_TAG = re.compile("|".join(_TAGS))
_ROLE = re.compile(r"\b(System|SYSTEM|User|USER|Human|HUMAN|Assistant|ASSISTANT|Developer|DEVELOPER)(?=:)")
"""Roles that some templates write as words, on any line."""


def without_tags(text: str) -> str:
    """The text with every control string of a known family of models broken up by a space."""
    while (broken := _TAG.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)) != text:
        text = broken
    return _ROLE.sub(r"\1 ", text)
