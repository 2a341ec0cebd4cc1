"""From one account or indicator to what stands near it, with the evidence for each step."""

from stillwatch.hunt.run import Hunt, Near, hunt
from stillwatch.hunt.terminal import print_hunt, write_json

__all__ = ["Hunt", "Near", "hunt", "print_hunt", "write_json"]
