"""`python -m talkburst.ua`: the PoC client, alone in its process."""

import click

from talkburst.daemon.command import Asked, Flag, asking, daemon_command
from talkburst.daemon.control import Answer
from talkburst.ua.daemon import ClientDaemon

ANSWER_MODES = ("automatic", "manual")
SWITCH = ("on", "true", "off", "false")

main = daemon_command(
    "client",
    ClientDaemon,
    "The PoC client: registers, follows the reg event, publishes its PoC settings.",
    Flag("--private-id", "private_id", "the private identity, as whom it registers", "USER@DOMAIN"),
    Flag("--public-id", "public_id", "the public identity that it registers", "URI"),
    Flag("--password", "password", "the password of the private identity", "TEXT"),
    Flag("--registrar", "registrar", "the home domain", "sip:DOMAIN"),
    Flag("--outbound", "outbound", "the first hop of everything it sends", "HOST:PORT"),
    Flag("--transport", "transport", "what it speaks with the core", choices=("udp", "tcp", "tls")),
    Flag("--answer-mode", "answer_mode", "the answer mode it publishes", choices=ANSWER_MODES),
    Flag("--barring", "barring", "whether it bars incoming PoC sessions", choices=SWITCH),
    Flag("--publish", "publish", "whether it publishes settings at all", choices=("true", "false")),
    Flag("--on-conflict", "on_conflict", "what to do about another client's settings", choices=("override", "keep")),
)


@main.command("settings")
@click.option("--answer-mode", type=click.Choice(ANSWER_MODES), help="how PoC sessions are answered")
@click.option("--barring", type=click.Choice(SWITCH), help="whether incoming PoC sessions are barred")
@click.option("--reset", is_flag=True, help="go back to the settings of the configuration")
@click.option("--json", "as_json", is_flag=True, help="for a program: JSON")
@asking
def settings(daemon: Asked, answer_mode: str | None, barring: str | None, reset: bool, as_json: bool) -> None:
    """Change the PoC settings of the running client and publish them, or with no option tell them.

    They are kept when the client is started again, until the configuration's own settings are changed. Exit code 1 if
    the server refuses them; they are what they were then. While no server can be reached they are kept and published
    as soon as one can.
    """
    if reset and (answer_mode or barring):
        raise click.UsageError("--reset goes back to the configuration's settings, so it takes no others beside it")
    given: dict[str, object] = {"answer_mode": answer_mode, "reset": reset or None}
    given["barring"] = None if barring is None else barring in SWITCH[:2]
    answer = daemon.ask("settings", **{name: value for name, value in given.items() if value is not None})
    if as_json or answer["outcome"] == "unchanged":
        daemon.tell({name: value for name, value in answer.items() if as_json or value != ""}, as_json)
    else:
        click.echo(_sentence(answer))


def _sentence(answer: Answer) -> str:
    wishes = answer["wishes"]
    now = f"answer mode {wishes['answer_mode']}, barring {'on' if wishes['barring'] else 'off'}"
    if answer["outcome"] == "published":
        return f"published: {now}"
    if answer["outcome"] == "withdrawn":
        return f"withdrawn: nothing is published, as the configuration has it; {now}"
    return f"kept: {now}\nnot published yet: {answer['why']}; it will be as soon as the server takes it"


if __name__ == "__main__":
    main()
