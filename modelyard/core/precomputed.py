"""The form of a file of stored answers, which the control plane has written and the data plane reads.

It is an SQLite database (https://www.sqlite.org/fileformat2.html) of one table, in the order of its key: a lookup is
one walk down one tree. An answer is the part of a `/predict` body that one row has, as JSON:
`{"predictions": [...], "probabilities": [...]}`.
"""

APPLICATION_ID = 0x4D597072
"""In the file's header ("Application ID"): `MYpr`."""
FORMAT = 1
"""In the file's header ("User Version")."""
TABLE = "CREATE TABLE answers (entity TEXT PRIMARY KEY, answer BLOB NOT NULL) WITHOUT ROWID"
FIND = "SELECT answer FROM answers WHERE entity = ?"
MAX_ENTITY = 200
"""Characters of an entity's id."""
MAX_ANSWER_BYTES = 1 << 20
PROTOCOL = "precomputed"
"""What the prediction log calls these answers."""
