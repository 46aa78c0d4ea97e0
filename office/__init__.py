"""The back office: pulls batches of signed records, proves them complete, answers with receipts."""
