"""``weft load``: an open-loop load generator whose latencies are corrected for coordinated omission.

Requests leave by a schedule fixed beforehand, whether or not answers come; each latency is counted from the
moment its request was *due*, so a stall shows in every request that it delayed and not only in the one that
met it (G. Tene, "How NOT to Measure Latency").
"""
