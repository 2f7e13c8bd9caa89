"""A model of ours as a chat endpoint of OpenAI's kind, for other programs: `python -m evals.serving PLAYER`."""
