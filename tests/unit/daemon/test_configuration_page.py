"""docs/configuration.md shows the defaults as they are."""

import re
from pathlib import Path

from talkburst.daemon.configuration import load
from talkburst.daemon.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_file_on_the_page_is_the_defaults_and_all_of_them(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    file = tmp_path / "talkburst.toml"
    file.write_text(block)
    written = load(file, environ={})
    assert written.model_dump() == Settings().model_dump()
    for name, section in Settings.model_fields.items():
        if name not in ("state", "store", "hosts"):
            keys = getattr(section.annotation, "model_fields", {})
            assert getattr(written, name).model_fields_set == set(keys), name
