"""PoC server: reg-event watcher, XCAP client, poc-settings compositor and notifier."""
