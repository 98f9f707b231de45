"""One module per question: `NAME`, `TITLE` and `run(rounds, seconds) -> Answer`."""
