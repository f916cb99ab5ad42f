"""HEP3, the Homer Encapsulation Protocol: frames to and from collectors such as HOMER and `talkburst check --hep`."""

from talkburst.obs.hep.codec import StreamDecoder, Undecodable, decode, encode
from talkburst.obs.hep.collector import HepCollector
from talkburst.obs.hep.sink import HepSink

__all__ = ["HepCollector", "HepSink", "StreamDecoder", "Undecodable", "decode", "encode"]
