"""What Alembic runs: the steps that are missing, on the connection that it was given."""

from alembic import context

from stillwatch.respond.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table="schema_version",
)
with context.begin_transaction():
    context.run_migrations()
