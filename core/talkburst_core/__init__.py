"""SIP/IP core: registrar, filter criteria, third-party REGISTER, reg-event notifier and routing proxy."""
