"""The one thing that setup.cfg cannot say.

`graftwire.spec` is the written standard and its vectors, as data. Its folder also holds the scripts that make and
check them: these belong to the repository and to the sdist, not into a user's site-packages.
"""

from __future__ import annotations

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithoutScripts(build_py):
    """Leaves out every module of `graftwire.spec` but its `__init__`."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = super().find_package_modules(package, package_dir)
        return [each for each in found if package != "graftwire.spec" or each[1] == "__init__"]


setup(cmdclass={"build_py": BuildWithoutScripts})
