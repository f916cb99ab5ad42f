"""Documents that the messages of the flow carry."""

REGINFO = """<?xml version="1.0" encoding="UTF-8"?>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="{version}" state="full">
  <registration aor="sip:alice@ims.example" id="r1" state="active">
    <contact id="c1" state="active" event="registered" expires="3600" callid="{call_id}" cseq="2">
      <uri>sip:alice@{place}</uri>
      <unknown-param name="+g.poc.talkburst"/>
      <unknown-param name="+sip.instance">"&lt;{instance}&gt;"</unknown-param>
    </contact>
  </registration>
  <registration aor="tel:+12025550101" id="r2" state="active">
    <contact id="c2" state="active" event="created" expires="3600" callid="{call_id}" cseq="2">
      <uri>sip:alice@{place}</uri>
      <unknown-param name="+g.poc.talkburst"/>
    </contact>
  </registration>
</reginfo>
"""
SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings">{entities}</poc-settings>
"""
ENTITY = """
  <entity id="{id}">
    <isb-settings><incoming-session-barring active="{barring}"/></isb-settings>
    <am-settings><answer-mode>{mode}</answer-mode></am-settings>
  </entity>
"""


def settings(*entities: tuple[str, str, str]) -> str:
    texts = [ENTITY.format(id=id_, barring=barring, mode=mode) for id_, barring, mode in entities]
    return SETTINGS.format(entities="".join(texts))
