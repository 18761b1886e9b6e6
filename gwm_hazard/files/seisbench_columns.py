"""The one table of our names of a record's metadata and SeisBench's (Woollam et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterable

#: SeisBench's names (category_parameter_unit) for the conditions and keys.
NAMES = {
    "mag": "source_magnitude",
    "hypo_depth": "source_depth_km",
    "ztor": "source_ztor_km",
    "rake": "source_rake_deg",
    "dip": "source_dip_deg",
    "event": "source_id",
    "rhypo": "path_hyp_distance_km",
    "repi": "path_ep_distance_km",
    "rrup": "path_rrup_distance_km",
    "rjb": "path_rjb_distance_km",
    "azimuthal_gap": "path_azimuthal_gap_deg",
    "vs30": "station_vs_30_mps",
    "site": "station_code",
    "npts": "trace_npts",
    "record": "trace_record",
    "name": "trace_name_original",
}

_SAME = "mag hypo_depth ztor rake dip rhypo repi rrup rjb azimuthal_gap vs30 npts".split()

#: Names that catalogues have too are taken from there; their keys have other names here.
_SHARED = {
    "event_id": "event",
    "station": "site",
    "record_id": "name",
    **{name: name for name in _SAME},
}

#: What only observed records have.
_OBSERVED = {
    "split": "split",
    "event_time": "source_origin_time",
    "mag_type": "source_magnitude_type",
    "event_lat": "source_latitude_deg",
    "event_lon": "source_longitude_deg",
    "network": "station_network_code",
    "location": "station_location_code",
    "station_lat": "station_latitude_deg",
    "station_lon": "station_longitude_deg",
    "station_elevation_m": "station_elevation_m",
    "back_azimuth": "path_back_azimuth_deg",
    "start_time": "trace_start_time",
    "channel": "trace_channel",
    "p_sample": "trace_p_arrival_sample",
    "p_status": "trace_p_status",
}

#: Further names that data sets in use have.
_ALSO = {
    "rake": ("source_rake",),
    "vs30": ("station_vs30_mps", "station_vs30_m_s"),
    "repi": ("source_epicentral_distance_km",),
    "rhypo": ("source_hypocentral_distance_km",),
    "rrup": ("path_rrup_km", "path_rupture_distance_km"),
    "rjb": ("path_rjb_km",),
    "azimuthal_gap": ("source_azimuthal_gap_deg", "source_azimuthal_gap"),
    "back_azimuth": ("path_back_azimuth",),
    "channel": ("station_channels",),
    "p_sample": ("trace_P_arrival_sample",),
    "p_status": ("trace_P_status",),
}

#: {our name: SeisBench's, the first is the one that is written}.
COLUMNS: dict[str, tuple[str, ...]] = {
    ours: (theirs, *_ALSO.get(ours, ()))
    for ours, theirs in ({k: NAMES[v] for k, v in _SHARED.items()} | _OBSERVED).items()
}


def to_seisbench(names: Iterable[str]) -> dict[str, str]:
    """{our name: SeisBench's}; what SeisBench has no word for becomes ``trace_NAME``."""
    return {name: COLUMNS[name][0] if name in COLUMNS else f"trace_{name}" for name in names}


def from_seisbench(names: Iterable[str]) -> dict[str, str]:
    """{SeisBench's name: ours}, the inverse of `to_seisbench`."""
    known = {theirs: ours for ours, all_ in COLUMNS.items() for theirs in reversed(all_)}
    return {name: known.get(name, name.removeprefix("trace_")) for name in names}
