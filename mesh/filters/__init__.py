"""Filters: what a policy does to a request on its way, and to its response; one small file each.

They are pure: heads and numbers in, decisions out.  The clock and chance are passed in, and all that a filter
writes into heads is made of parts that were checked when the filter was made.
"""
