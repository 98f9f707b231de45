"""TLS: the ClientHello, certificates by server name, and a stream between a transport and the protocol within."""
