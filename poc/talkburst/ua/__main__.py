"""`python -m talkburst.ua`: the PoC client, alone in its process."""

import json

import click

from talkburst.daemon.command import Asked, Flag, asking, daemon_command
from talkburst.ua.daemon import ClientDaemon

main = daemon_command(
    "client",
    ClientDaemon,
    "The PoC client: registers, follows the reg event, publishes its PoC settings.",
    Flag("--private-id", "private_id", "the private identity, as whom it registers", "USER@DOMAIN"),
    Flag("--public-id", "public_id", "the public identity that it registers", "URI"),
    Flag("--password", "password", "the password of the private identity", "TEXT"),
    Flag("--registrar", "registrar", "the home domain", "sip:DOMAIN"),
    Flag("--outbound", "outbound", "the first hop of everything it sends", "HOST:PORT"),
    Flag("--transport", "transport", "what it speaks with the core", choices=("udp", "tcp")),
    Flag("--answer-mode", "answer_mode", "the answer mode it publishes", choices=("automatic", "manual")),
    Flag("--barring", "barring", "whether it bars incoming PoC sessions", choices=("true", "false")),
    Flag("--publish", "publish", "whether it publishes settings at all", choices=("true", "false")),
    Flag("--on-conflict", "on_conflict", "what to do about another client's settings", choices=("override", "keep")),
)


@main.command("settings")
@click.option("--answer-mode", type=click.Choice(("automatic", "manual")), help="how PoC sessions are answered")
@click.option("--barring", type=bool, metavar="true|false", help="whether incoming PoC sessions are barred")
@asking
def settings(daemon: Asked, answer_mode: str | None, barring: bool | None) -> None:
    """Change the PoC settings of the running client, and tell them."""
    given = {"answer_mode": answer_mode, "barring": barring}
    answer = daemon.ask("settings", **{name: value for name, value in given.items() if value is not None})
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
