"""Observed records: reading them from the formats they come in, and measuring them."""

from gwm_hazard.records.read import read_records, scan
from gwm_hazard.records.record import Failure, Record, Source

__all__ = ["Failure", "Record", "Source", "read_records", "scan"]
