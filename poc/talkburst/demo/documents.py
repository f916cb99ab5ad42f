"""What a user has stored at the XDMS before registering: access rules, a group, a buddy list."""

from __future__ import annotations

from talkburst.xcap.client import XcapClient
from talkburst.xcap.uri import user_document


class DocumentRefusedError(Exception):
    """The XDMS did not take a document; the text says which and why."""


RULES = """<?xml version="1.0" encoding="UTF-8"?>
<cp:ruleset xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:poc="urn:oma:xml:poc:poc-rules">
  <cp:rule id="crew">
    <cp:conditions>
      <cp:identity>
        <cp:one id="sip:bob@ims.example"/>
        <cp:one id="sip:carol@ims.example"/>
      </cp:identity>
    </cp:conditions>
    <cp:actions><poc:allow-invite>accept</poc:allow-invite></cp:actions>
  </cp:rule>
</cp:ruleset>
"""

CREW = """<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="urn:oma:xml:poc:list-service" xmlns:rl="urn:ietf:params:xml:ns:resource-lists">
  <list-service uri="sip:crew@ims.example">
    <display-name xml:lang="en">Crew</display-name>
    <list>
      <entry uri="sip:bob@ims.example"><rl:display-name>Bob</rl:display-name></entry>
      <entry uri="sip:carol@ims.example"><rl:display-name>Carol</rl:display-name></entry>
    </list>
    <invite-members>true</invite-members>
    <max-participant-count>10</max-participant-count>
  </list-service>
</group>
"""

LISTS = """<?xml version="1.0" encoding="UTF-8"?>
<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">
  <list name="oma_pocbuddylist">
    <entry uri="sip:bob@ims.example"><display-name>Bob</display-name></entry>
    <entry uri="sip:carol@ims.example"><display-name>Carol</display-name></entry>
  </list>
</resource-lists>
"""

DOCUMENTS = (
    ("org.openmobilealliance.poc-rules", "pocrules", "application/auth-policy+xml", RULES),
    ("org.openmobilealliance.poc-groups", "crew", "application/vnd.oma.poc.groups+xml", CREW),
    ("resource-lists", "index", "application/resource-lists+xml", LISTS),
)


async def put_documents(xcap_root: str, owner: str, password: str) -> None:
    """Store them as the owner's own device would. Raises XcapUnreachableError, DocumentRefusedError."""
    client = XcapClient(xcap_root, owner, password)
    try:
        for auid, name, media_type, text in DOCUMENTS:
            answer = await client.put(user_document(auid, owner, name), text.encode(), media_type)
            if answer.status not in (200, 201):
                problem = f"{answer.status} {answer.problem}".rstrip()
                raise DocumentRefusedError(f"the XDMS refused {auid} of {owner}: {problem}")
    finally:
        await client.close()
