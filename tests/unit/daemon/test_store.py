"""Where core, PoC server and XDMS keep their state, as the key `store` says."""

from pathlib import Path

import pytest

from talkburst.daemon.log import Log
from talkburst.daemon.settings import CoreSettings, ServerSettings, Settings, XdmsSettings
from talkburst.obs.trace import Trace
from talkburst_core.daemon import CoreDaemon
from talkburst_server.daemon import ServerDaemon
from talkburst_xdms.daemon import XdmsDaemon

FREE = ["udp:127.0.0.1:0"]


@pytest.mark.parametrize(("store", "files"), [("sqlite", 1), ("memory", 0)])
@pytest.mark.parametrize("make", [CoreDaemon, ServerDaemon, XdmsDaemon])
async def test_a_daemon_leaves_a_file_unless_it_may_forget(tmp_path: Path, make: type, store: str, files: int) -> None:
    settings = Settings(
        state=str(tmp_path),
        store=store,
        core=CoreSettings(listen=FREE, listen_servers=FREE),
        server=ServerSettings(listen=FREE),
        xdms=XdmsSettings(listen=["tcp:127.0.0.1:0"]),
    )
    daemon = make(settings, Trace("a"), Log("a"))
    assert await daemon.start()
    await daemon.stop()
    assert len(list(tmp_path.glob("*.db"))) == files
