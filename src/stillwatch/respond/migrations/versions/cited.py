"""What the evidence said that decisions were made from."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "cited",
        sa.Column("cited_id", sa.String(length=200), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("bits", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("cited_id"),
    )
    op.create_index("cited_evidence", "cited", ["evidence_id", "made"])
