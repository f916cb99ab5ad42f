"""The flow: its 32 steps as data, the checker that judges a capture of it, the ladder that shows it."""
