"""Weft measured beside its peers: one file per question in `questions`, one runner, one page of results.

The method is the same for all.  The proxy under test runs alone on the first core; back ends and the load
generator share the second.  The figure is the CPU time that the proxy's threads took per request (Linux's
schedstat), since that barely moves when the machine is busy.  Peers take turns within one run, and what is
reported is the ratio of the medians: a figure of one run says nothing about a figure of another.  Where it is not
said otherwise, path and cookie differ in each request, so that no memory of whole heads can win.
"""
