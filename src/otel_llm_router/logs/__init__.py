"""What the log side of the product is: streams, formats, files and the audit trail.

Room: `logs`. Log records come in; lines of JSON, or of text for a terminal, go out.
"""
