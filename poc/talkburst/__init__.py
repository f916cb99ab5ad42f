"""Talkburst: an IMS core, a PoC server, an XDMS and a PoC client that speak real SIP."""

__version__ = "0.1.0"
