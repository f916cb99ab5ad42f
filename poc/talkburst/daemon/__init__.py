"""What every daemon has in common: configuration, logs, signals, the ready line, the control socket."""
