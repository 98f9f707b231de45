"""Messages made to be read differently by two readers, in both directions, and what must happen to each.

The tables are plain data: a name, the bytes, and the outcome.  Requests: a table of those that are refused, with the
status, and one of those that are accepted, with what the endpoint must see.  Responses: what the client must see.
`test_smuggling` sends all of them through a real proxy; `judge` reads what comes out with a parser that is not ours.
"""
