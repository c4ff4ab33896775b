"""`caret-s3cmd`: the real s3cmd with a session of two factors. Nothing here is part of a gateway."""
