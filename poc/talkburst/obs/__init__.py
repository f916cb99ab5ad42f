"""What the daemons show of themselves: the trace tap, HEP3, pcap."""
