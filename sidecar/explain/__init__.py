"""Why a request goes where it goes: a question and a compiled table in, plain data out."""
