"""A world of many users for the benches: what the core knows of them, what the XDMS does.

    users.write(directory, 10_000)                  a REGISTER with the PoC tag goes on to the PoC server
    users.write(directory, 10_000, server=None)     no criteria: a registrar and nothing else

User 7 is `sip:u000007@ims.example`, private id `u000007@ims.example`, password `pw`. The directory then holds
`profiles/` (an IMSSubscription for each), `credentials.toml`, and `accounts.toml`: the section `[xdms.accounts]`.

As a program: python bench/users.py DIRECTORY --users 10000 [--plain]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

DOMAIN = "ims.example"
PASSWORD = "pw"
POC_SERVER = "sip:poc.ims.example"

# As in the demo world: the PoC server is told of a contact with the PoC tag, and serves the user's settings.
CRITERIA = r"""
    <InitialFilterCriteria>
      <Priority>0</Priority>
      <TriggerPoint>
        <ConditionTypeCNF>1</ConditionTypeCNF>
        <SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>REGISTER</Method></SPT>
        <SPT><ConditionNegated>0</ConditionNegated><Group>1</Group><SIPHeader><Header>^Contact$</Header>
          <Content>\+g\.poc\.talkburst(="?TRUE"?)?[[:space:]]*([;,]|$)</Content></SIPHeader></SPT>
      </TriggerPoint>
      <ApplicationServer><ServerName>{server}</ServerName><DefaultHandling>0</DefaultHandling></ApplicationServer>
    </InitialFilterCriteria>
    <InitialFilterCriteria>
      <Priority>1</Priority>
      <TriggerPoint>
        <ConditionTypeCNF>1</ConditionTypeCNF>
        <SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>SUBSCRIBE</Method></SPT>
        <SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>PUBLISH</Method></SPT>
        <SPT><ConditionNegated>0</ConditionNegated><Group>1</Group><SIPHeader><Header>^Event$</Header>
          <Content>^[[:space:]]*poc-settings[[:space:]]*(;|$)</Content></SIPHeader></SPT>
        <SPT><ConditionNegated>0</ConditionNegated><Group>2</Group><SessionCase>0</SessionCase></SPT>
      </TriggerPoint>
      <ApplicationServer><ServerName>{server}</ServerName><DefaultHandling>1</DefaultHandling></ApplicationServer>
    </InitialFilterCriteria>"""

PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<IMSSubscription>
  <PrivateID>{user}</PrivateID>
  <ServiceProfile>
    <PublicIdentity><Identity>sip:{user}</Identity></PublicIdentity>{criteria}
  </ServiceProfile>
</IMSSubscription>
"""


def private_id(number: int, domain: str = DOMAIN) -> str:
    """Also what follows "sip:" in the user's public identity."""
    return f"u{number:06d}@{domain}"


def write(directory: Path, count: int, *, domain: str = DOMAIN, server: str | None = POC_SERVER) -> None:
    """Writes the files of the users 0 to `count` - 1. `server` is the URI in the criteria; None leaves them out."""
    profiles = directory / "profiles"
    profiles.mkdir(parents=True, exist_ok=True)
    criteria = "" if server is None else CRITERIA.format(server=server)
    for number in range(count):
        user = private_id(number, domain)
        (profiles / f"{user.partition('@')[0]}.xml").write_text(PROFILE.format(user=user, criteria=criteria))
    everybody = [private_id(number, domain) for number in range(count)]
    (directory / "credentials.toml").write_text("".join(_credentials(everybody)))
    (directory / "accounts.toml").write_text("[xdms.accounts]\n" + "".join(_accounts(everybody)))


def _credentials(everybody: list[str]) -> Iterator[str]:
    return (f'["{user}"]\npassword = "{PASSWORD}"\n' for user in everybody)


def _accounts(everybody: list[str]) -> Iterator[str]:
    return (f'"sip:{user}" = {{ password = "{PASSWORD}" }}\n' for user in everybody)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--users", type=int, default=10_000, help="how many (default 10000)")
    parser.add_argument("--plain", action="store_true", help="without criteria: nobody is told of a registration")
    asked = parser.parse_args()
    write(asked.directory, asked.users, server=None if asked.plain else POC_SERVER)


if __name__ == "__main__":
    main()
