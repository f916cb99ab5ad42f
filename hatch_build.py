"""Compiles the hot modules of a wheel with mypyc when `HATCH_BUILD_HOOK_ENABLE_CUSTOM=true` asks for it (`make wheel`).

Which modules those are stands in pyproject.toml. Their sources stay in the wheel beside the compiled ones, for
tracebacks and readers; the interpreter prefers what is compiled.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

GROUP = "talkburst_compiled"  # one library for all modules, so that calls between them are calls in C


class CompiledModules(BuildHookInterface):
    """What hatchling calls before it writes the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # whoever edits sources wants them to run
            return
        self._libraries = tempfile.TemporaryDirectory(prefix="talkburst-mypyc-")
        libraries = Path(self._libraries.name)
        self._compile(libraries)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        for library in libraries.rglob("*.so"):
            build_data["force_include"][str(library)] = str(library.relative_to(libraries))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._libraries.cleanup()

    def _compile(self, into: Path) -> None:
        """One extension module for each compiled source, under the path its package has in the wheel."""
        from mypyc.build import mypycify
        from setuptools import Distribution

        with tempfile.TemporaryDirectory(prefix="talkburst-mypyc-c-") as written:
            extensions = mypycify(
                ["--config-file", str(Path(self.root, "pyproject.toml")), *self._sources()],
                opt_level=self.config["optimisation"],
                debug_level="0",
                group_name=GROUP,
                target_dir=written,
            )
            build = Distribution({"name": "talkburst", "ext_modules": extensions}).get_command_obj("build_ext")
            build.build_lib, build.build_temp = str(into), written
            build.ensure_finalized()
            build.run()

    def _sources(self) -> list[str]:
        """Paths from the root, in an order that does not depend on the file system."""
        root = Path(self.root)
        found = {path for pattern in self.config["compiled"] for path in root.glob(pattern)}
        found -= {path for pattern in self.config["interpreted"] for path in root.glob(pattern)}
        return sorted(str(path.relative_to(root)) for path in found)
