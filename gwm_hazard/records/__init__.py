"""Observed records: reading them from the formats they come in, and measuring them."""

from gwm_hazard.records.read import Failure, Record, Source, read_records, scan

__all__ = ["Failure", "Record", "Source", "read_records", "scan"]
