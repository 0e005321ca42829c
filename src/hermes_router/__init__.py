"""One OpenAI and Anthropic endpoint in front of every LLM quota a person has."""

__version__ = "0.1.0"
