"""Memory is that of a block, however many records: what numpy and Python take at most."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from gwm_hazard.catalogue import stream
from gwm_hazard.catalogue.export import export_catalogue, records
from gwm_hazard.catalogue.generated import write_generated
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models import base
from gwm_hazard.models.double import RandomModel
from gwm_hazard.records import read_records
from gwm_hazard.records.readers import hdf5

SC = Scenarios(mag=np.full(5, 6.0), rrup=[10.0, 20.0, 30.0, 40.0, 50.0])


def peak(work):
    tracemalloc.start()
    work()
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return held


@pytest.mark.parametrize("store", ["waveforms", "keys"])
def test_records_are_not_held(tmp_path, monkeypatch, store):
    """12 kB a record: all of them are 5 MB, a block 0.6 MB."""
    monkeypatch.setattr(stream, "BLOCK", {"keys": 50, "waveforms": 50})
    monkeypatch.setattr(base, "CPU_BATCH_BYTES", 2_000_000)
    monkeypatch.setattr(hdf5, "_BLOCK_BYTES", 600_000)
    monkeypatch.setattr(records, "BLOCK_BYTES", 600_000)
    model = RandomModel(samples=512)

    def write(n):
        return write_generated(tmp_path / f"{n}.h5", model, SC, n // 5, 1, store=store)

    write(50)
    few, many = (peak(lambda n=n: write(n)) for n in (100, 400))
    assert few < many < few + 1_000_000
    if store == "keys":
        return

    def read(n):
        for record in read_records(tmp_path / f"{n}.h5"):
            assert record.acceleration.shape == (3, 1024)

    def export(n):
        export_catalogue(tmp_path / f"{n}.h5", "seisbench", tmp_path / f"{n}.set")

    for work in (read, export):
        few, many = (peak(lambda n=n, work=work: work(n)) for n in (100, 400))
        assert many < few + 2_000_000
