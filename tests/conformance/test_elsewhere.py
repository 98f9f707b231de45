"""Statements that need a scenario of their own: which test proves each, so that none is lost."""

from __future__ import annotations

import ast

import pytest

from tests.policy.source import ROOT

PROVEN = {
    "edits under traffic fail no request and cut no WebSocket": (
        "scenarios/test_reload.py", "test_ten_changes_a_second_break_nothing",
    ),
    "certificates are swapped without dropping connections": (
        "scenarios/test_tls.py", "test_a_certificate_changes_under_traffic",
    ),
    "a bad object keeps its last good version, over restarts too": (
        "scenarios/test_reload.py", "test_a_mistake_takes_nothing_out_of_force_also_over_a_restart",
    ),
    "SIGTERM: not ready, still accepting, then drained": (
        "scenarios/test_drain.py", "test_it_says_so_serves_on_for_a_while_and_finishes_what_is_under_way",
    ),
    "a terminating endpoint finishes what it has and gets nothing new": (
        "scenarios/test_drain.py", "test_a_terminating_endpoint_finishes_what_it_has_and_gets_nothing_new",
    ),
    "replicas are replaced without a failed request": (
        "scenarios/test_reload.py", "test_replicas_are_replaced_without_a_failed_request",
    ),
    "killed replicas fail no request": ("scenarios/test_faults.py", "test_killing_replicas_fails_no_request"),
    "round robin is fair under load": ("scenarios/test_fairness.py", "test_counts_differ_by_one_at_most"),
    "a decision is explained rule by rule": ("scenarios/test_why.py", "test_what_is_explained_is_what_happens"),
    "exchanges are tapped as they end": ("scenarios/test_why.py", "test_a_tap_and_the_request_that_it_showed"),
    "TLS is passed through by its server name": ("scenarios/test_tls.py", "test_passing_through"),
    "a UDP session never stays with an endpoint that went": (
        "mesh/test_udp.py", "test_an_endpoint_that_goes_takes_no_session_with_it",
    ),
    "affinity by a cookie that the proxy sets": (
        "scenarios/test_cookies.py", "test_a_client_stays_where_its_first_answer_came_from",
    ),
    "affinity holds for UDP": ("mesh/test_udp.py", "test_affinity_holds_over_the_end_of_sessions"),
    "source ranges hold for UDP": ("mesh/test_udp.py", "test_only_source_ranges_are_let_in"),
    "a full listener stops accepting": ("mesh/test_acceptor.py", "test_a_full_listener_lets_clients_wait_and_goes_on"),
    "PROXY headers count from trusted addresses only": ("mesh/test_introduction.py", "test_nobody_else_is_believed"),
    "and have their time": ("mesh/test_introduction.py", "test_it_has_a_deadline"),
    "labels of metrics are bounded": ("mesh/test_frames.py", "test_endpoints_beyond_the_bound_are_summed"),
    "a corpus of ambiguous messages": ("mesh/smuggling/test_smuggling.py", "test_requests_that_are_refused"),
    "a Service at zero holds what comes and loses none": (
        "scenarios/test_zero.py", "test_a_hundred_at_once_lose_none_and_a_body_comes_whole",
    ),
    "what is held is bounded, and has an end": (
        "scenarios/test_zero.py", "test_what_is_held_is_bounded_and_a_stop_tells_all",
    ),
    "a cold replica is not flooded": ("mesh/test_waiting.py", "test_in_turn_and_as_many_as_answers_come_back"),
    "scale-in takes the emptiest replica": (
        "scenarios/test_autoscaling.py", "test_the_replica_that_is_at_work_stays",
    ),
    "IPv6: every address of a range is local by its route": ("sidecar/test_local_route.py", "test_on_a_real_machine"),
    "who has an address keeps it when another Service names it as external": (
        "config/test_validation_conflicts.py", "test_an_address_that_was_given_is_nobodys_external_one",
    ),
    "DNS as dig and kdig see it": ("interop/test_dns.py", "test_questions"),
}  # fmt: skip


@pytest.mark.parametrize("case", PROVEN)
def test_the_proof_is_there(case: str) -> None:
    file, name = PROVEN[case]
    tree = ast.parse((ROOT / "tests" / file).read_text())
    tests = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in tests
