"""XDMS: an XCAP server (RFC 4825) with the PoC and the Shared application usages."""
