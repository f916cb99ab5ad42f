"""`talkburst demo`: the whole flow between four real processes on loopback, judged as it happens."""
