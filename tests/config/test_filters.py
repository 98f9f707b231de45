"""Types of the groups about requests: what holds when a group is said and nothing in it."""

from __future__ import annotations

from config.filters import (
    AccessPolicy,
    CORSPolicy,
    FaultPolicy,
    HeaderPolicy,
    MirrorPolicy,
    ProxyProtocolPolicy,
    RedirectPolicy,
    ReencryptPolicy,
    RewritePolicy,
    SplitTarget,
    TLSPolicy,
    TokenBucketPolicy,
)


def test_what_is_empty_does_nothing() -> None:
    assert (AccessPolicy().allow, AccessPolicy().deny) == ((), ())
    assert (FaultPolicy().delay, FaultPolicy().abort) == (None, None)
    assert HeaderPolicy().request == HeaderPolicy().response
    assert (HeaderPolicy().request.set, HeaderPolicy().request.add, HeaderPolicy().request.remove) == ({}, {}, ())
    assert (ProxyProtocolPolicy().accept_from, ProxyProtocolPolicy().send) == ((), None)
    assert (RewritePolicy().host, RewritePolicy().path, RewritePolicy().prefix) == ("", "", "")
    assert (TLSPolicy().https_redirect, TLSPolicy().reencrypt) == (False, None)


def test_redirects_are_302_as_in_gateway_api() -> None:
    assert RedirectPolicy().status == 302


def test_certificates_are_verified() -> None:
    assert ReencryptPolicy().verify


def test_shares() -> None:
    assert SplitTarget("a").weight == 1
    assert MirrorPolicy("a").percent == 100.0


def test_a_bucket_is_per_second() -> None:
    bucket = TokenBucketPolicy(5)
    assert (bucket.requests, bucket.per, bucket.burst) == (5, 1.0, 0)


def test_cors_is_without_credentials() -> None:
    cors = CORSPolicy(("*",))
    assert not cors.allow_credentials
    assert cors.allow_methods == ("GET", "HEAD", "POST")
