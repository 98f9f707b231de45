"""One table from reason to status and error type."""

from __future__ import annotations

from mesh import reasons

RFC_9209 = {
    "dns_timeout",
    "dns_error",
    "destination_not_found",
    "destination_unavailable",
    "destination_ip_prohibited",
    "destination_ip_unroutable",
    "connection_refused",
    "connection_terminated",
    "connection_timeout",
    "connection_read_timeout",
    "connection_write_timeout",
    "connection_limit_reached",
    "tls_protocol_error",
    "tls_certificate_error",
    "tls_alert_received",
    "http_request_error",
    "http_request_denied",
    "http_response_incomplete",
    "http_response_header_section_size",
    "http_response_header_size",
    "http_response_body_size",
    "http_response_trailer_section_size",
    "http_response_trailer_size",
    "http_response_transfer_coding",
    "http_response_content_coding",
    "http_response_timeout",
    "http_upgrade_failed",
    "http_protocol_error",
    "proxy_internal_response",
    "proxy_internal_error",
    "proxy_configuration_error",
    "proxy_loop_detected",
}


OURS = (reasons.CLIENT_GONE, reasons.NOT_INTRODUCED)
"""Of which RFC 9209 has no word."""


def test_error_types_are_the_standards() -> None:
    table = [reason for reason in vars(reasons).values() if isinstance(reason, reasons.Reason)]
    assert len(table) > 10
    for reason in table:
        assert reason.error in RFC_9209 or reason in OURS
        assert 400 <= reason.status < 600
        assert set(reason.details) & set('"\\') == set()
        assert reason.details.isascii()
