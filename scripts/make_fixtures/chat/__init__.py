"""The starter chat model: its corpus, its tokenizer, its training and its measurement."""
