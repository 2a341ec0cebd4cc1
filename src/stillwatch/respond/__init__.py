"""From findings to measures on access: the policy, its decisions, appeals against them, and the record of it all."""
