"""Traffic read and enriched by Spark's tasks: the same readers and the same `enrich` as on one machine.

An exchange's number follows from where it stands: the number of its file among all files, and its row. So numbers count
up in reading order, as those of one machine do, and neither how the work is split nor a task that is done twice changes
them. (The rows of a table have no such place, and are numbered in the order of time and id.)
"""

from stillwatch.distributed.discover import remote_inputs
from stillwatch.distributed.files import Files
from stillwatch.distributed.paths import Paths
from stillwatch.distributed.rows import Reading

__all__ = ["Files", "Paths", "Reading", "remote_inputs"]
