"""What players behind a chat completions API share. Loads neither `openai` nor `httpx2` before the first request."""
