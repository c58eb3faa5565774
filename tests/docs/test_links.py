"""Links between the documents."""

import re

import pytest

from tests.docs.samples import DOCS


@pytest.mark.parametrize("guide", ["producer-guide.md", "gateway-guide.md"])
def test_links_lead_somewhere(guide: str) -> None:
    """Every link of the guide to a file beside it, and to a heading there, exists."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", (DOCS / guide).read_text()) if not link.startswith("https:")]
    assert len(links) >= 3
    for link in links:
        file, _, anchor = link.partition("#")
        assert (DOCS / file).exists()
        if anchor:
            headings = re.findall(r"^#+ (.*)$", (DOCS / file).read_text(), re.MULTILINE)
            assert anchor in {
                heading.lower().replace(" ", "-").replace(".", "").replace("`", "") for heading in headings
            }
