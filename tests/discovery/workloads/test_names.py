from __future__ import annotations

from random import Random

from discovery.workloads.names import digest_of, replica_id


def test_equal_content_has_equal_digests() -> None:
    assert digest_of(b"a") == digest_of(b"a") != digest_of(b"b")
    assert len(digest_of(b"a")) == 6
    assert digest_of(b"a").isalnum()


def test_replica_ids() -> None:
    name, digest, suffix = replica_id("payment-service", "7f9c4b", Random(1)).rsplit("-", 2)
    assert (name, digest, len(suffix)) == ("payment-service", "7f9c4b", 5)
    assert replica_id("a", "b", Random(1)) != replica_id("a", "b", Random(2))


def test_a_taken_name_is_not_given_again() -> None:
    first = replica_id("a", "b", Random(1))
    assert replica_id("a", "b", Random(1), {first}) != first
