"""Records of agencies in fixed columns, written from the agencies' own descriptions.

Each function takes acc (3, nt) m/s2 (two horizontals at 90 and 360 degrees, up) and a step in s,
and returns {file name: text}. CSMIP: Shakal and Huang (1985), OSMS 85-03, and the files' headers;
USC and BHRC: volume 1 of Trifunac and Lee (1973), EERL 73-03; SMC: Converse and Brady (1992), USGS
OFR 92-296-A; GeoNet: "Strong motion data file formats"; UNAM: ASA 2.0; CSMNC, CWA: the headers.
"""

from __future__ import annotations

import numpy as np

G = 9.80665
DIRECTIONS = ("90", "360", "Up")
#: The event and station that every header tells.
EVENT = {"event_lat": 34.25, "event_lon": -118.5, "hypo_depth": 18.0, "mag": 6.7}


def rows(values, form, columns):
    """Values in lines of so many columns."""
    return [
        "".join(form % v for v in values[k : k + columns]) for k in range(0, len(values), columns)
    ]


def peak_at(trace, dt):
    at = int(np.abs(trace).argmax())
    return trace[at], at * dt


def reals(n, form, columns, **known):
    values = np.zeros(n)
    for at, value in known.items():
        values[int(at[1:])] = value
    return rows(values, form, columns)


def csmip_v2(acc, dt):
    text = []
    for k, (trace, direction) in enumerate(zip(acc * 100, DIRECTIONS, strict=True), 1):
        name = f"{direction} Deg" if direction != "Up" else "Up"
        peak, time = peak_at(trace, dt)
        n = len(trace)
        text += [
            f"Corrected accelerogram   14403-S3492-94021.02       Chan  {k}: {name}     from",
            "Uncorrected Accelerogram Data             Processed: 02/08/94, CDMG QN94A403",
            "Northridge Earthquake",
            "January 17, 1994 04:31 PST              (Origin(CIT): 01/17/94, 12:30:55.4 GMT)",
            "14403-S3492-94021.02               Trigger time: 01/17/94, 12:31:04.1 UTC",
            "Station No. 14403   33.929N, 118.260W     SMA-1  s/n 3492",
            "Los Angeles - 116th St. School", f"Chan  {k}: {name}", "Northridge Earthquake",
            "Hypocenter(CIT): 34.250N, 118.500W, H=18km. ML=6.6, MW=6.7(CIT); MS=6.8(NEIC)",
            "Instr Period =  .0397 sec,  Damping =  .592,  Sensitivity = 1.77 cm/g.",
            "                        Record length = 60.000 sec.",
            "                                     Uncor Max  =   .300 g, at  11.576 sec.",
            "RMS accel of (uncor) record  =  .021 g.",
            "Accelerogram bandpass filtered with 3 dB pts at   .10 and 23.00 cyc/sec",
            f"{n:6d} points of instrument- and baseline-corrected accel, veloc and displ data",
            f"At equally-spaced intervals of    {dt:.3f}  sec.",
            f"Peak acceleration = {peak:9.3f}    cm/sec/sec  at   {time:.3f}   sec.",
            "Peak   velocity   =    -6.863      cm/sec    at   14.680   sec.",
            "Peak displacement =     -.836        cm      at   17.580   sec.",
            "Initial velocity  =      .000   cm/sec;   Initial displacement =    -.003   cm",
            "Northridge Earthquake", "", f"14403     116th St. School    Chan  {k}: {name}", "",
            *rows(np.zeros(100), "%5d", 16), *rows(np.zeros(100), "%10.3f", 8),
            f"{n:6d} points of accel data equally spaced at  {dt:.3f} sec, in cm/sec2. (8f10.5)",
            *rows(trace, "%10.5f", 8),
            f"{n:6d} points of veloc data equally spaced at  {dt:.3f} sec, in cm/sec.  (8f10.7)",
            *rows(np.ones(n), "%10.7f", 8),
            f"/&  ----------  End of data for channel  {k}  ----------",
        ]  # fmt: skip
    return {"LA116TH.V2": "\n".join(text) + "\n"}


def csmip_film(acc, dt):
    """Volume 1 of the 1980s: pairs of time and acceleration in g/10, at 1 ms."""
    text = []
    for k, (trace, direction) in enumerate(zip(acc / G, DIRECTIONS, strict=True), 1):
        name = f"{direction} DEG" if direction != "Up" else "UP"
        n = len(trace)
        pairs = np.column_stack([np.arange(n) * dt, trace * 10]).ravel()
        text += [
            "UNCORRECTED ACCELEROGRAM DATA              PROCESSED: 02/08/94, CDMG QN94A403",
            "NORTHRIDGE EARTHQUAKE",
            "JANUARY 17, 1994 04:31 PST              (ORIGIN(CIT): 01/17/94, 12:30:55.4 GMT)",
            "14403-S3492-94021.02               TRIGGER TIME: 01/17/94, 12:31:04.1 UTC",
            "STATION NO. 14403   33.929N, 118.260W     SMA-1  S/N 3492",
            "LOS ANGELES - 116TH ST. SCHOOL", f"CHAN  {k}: {name}", "NORTHRIDGE EARTHQUAKE",
            "HYPOCENTER(CIT): 34.250N, 118.500W, H=18KM. ML=6.6, MW=6.7(CIT); MS=6.8(NEIC)",
            "INSTR PERIOD =  .0397 SEC,  DAMPING =  .592,  SENSITIVITY = 1.77 CM/G.",
            f"NO. OF POINTS = {n:6d}  RECORD LENGTH = {(n - 1) * dt:.3f} SEC",
            f"UNITS OF UNCOR ACCEL ARE SEC AND G/10.     MAX  = {peak_at(trace, dt)[0]:6.3f} G, "
            f"AT  {peak_at(trace, dt)[1]:.3f} SEC.",
            "RMS ACCEL OF COMPLETE RECORD =  .021 G.",
            *rows(np.zeros(100), "%5d", 16), *rows(np.zeros(50), "%10.3f", 8),
            *rows(pairs, "%7.3f", 10),
            f"/&  ----------  END OF DATA FOR CHANNEL  {k}  ----------",
        ]  # fmt: skip
    return {"LA116TH.RAW": "\n".join(text) + "\n"}


def usc(acc, dt):
    files = {}
    for suffix, trace, name in zip("abc", acc / G, ("N90E", "N00E", "UP"), strict=True):
        n = len(trace)
        pairs = np.column_stack([np.arange(n) * dt, trace * 10]).ravel()
        text = [
            "FILE     0 OF UNCORRECTED ACCELEROGRAM DATA OF VOLUME I:",
            "NORTHRIDGE EARTHQUAKE                                                   21",
            "JAN 17, 1994 -1230 GMT                                                  22",
            "IBB101  94.160.0 N                                                      18",
            "STATION USC# 0016   34 05 22N, 118 26 05N                               39",
            "700 N, FARING RD., LOS ANGELES, CA                                      34",
            f"COMP {name}                                                               9",
            "NORTHRIDGE EARTHQUAKE   JAN 17, 1994 -1230 GMT                          46",
            "EPICENTER -   34 15 00N, 118 30 00W                                     35",
            "INSTR PERIOD =  .038 SEC  DAMPING =   .558  SENSITIVITY =   1.75CM/G    69",
            f"NO. OF POINTS = {n:6d}      DURATION = {(n - 1) * dt:7.3f} SEC            50",
            "UNITS ARE SEC AND G/10                                                  22",
            "RMS ACCLN. OF COMPLETE RECORD =     .400 G/10                           45",
            *rows(np.zeros(100), "%5d", 16),
            *reals(50, "%10.3f", 8, _6=34.25, _7=118.5, _10=16.749, _11=6.7),
            *[" " + row for row in rows(pairs, "%7.3f", 10)],
        ]  # fmt: skip
        files[f"017m30lw.s0{suffix}"] = "\n".join(text) + "\n"
    return files


def bhrc(acc, dt):
    text = []
    for name, trace in zip(("L1", "T3", "V2"), acc / G, strict=True):
        n = len(trace)
        text += [
            "* VOL1DS FILE:  5520/01", "Inst Type = SSA-2",
            "Origin Time : 1994/01/17   12:30:55", "", name[0], "", f"COMP {name}",
            "Ahar                      Station   38.474 N 47.059 E   Altitude 1360m   "
            "Azimuth L 90    T 360",
            "Epicenter 34.250 N 118.500 W   FD 18 Km mb      Ms      Mw6.7   M        ML   (BHRC )",
            "INSTR PERIOD =  .019 SEC   DAMPING =  .640",
            f"NO. OF POINTS = {n:6d}      DURATION = {n * dt:7.3f}",
            "UNITS ARE SECONDS AND G/10", "",
            *rows(np.zeros(100), "%5d", 14),
            # the lines are cut at 72 characters
            *[row[:72] for row in rows(np.zeros(50), "%13.6E", 8)],
            *rows(trace * 10, "%13.6E", 10),
        ]  # fmt: skip
    return {"5520-1.V1": "\n".join(text) + "\n"}


def geonet(acc, dt):
    text = []
    integers = np.zeros(40)
    # the ends of the four lines: year, month; day, hour; ...; minute and ms of the first sample
    integers[[8, 9, 18, 19, 38, 39]] = 1994, 1, 17, 12, 30, 45500
    for trace, name in zip(acc * 1000, ("N90E", "N00E", "Up"), strict=True):
        n, (peak, time) = len(trace), peak_at(trace, dt)
        text += [
            "Corrected accelerogram 19940117_123055_WPWS_20 GNS Science",
            "Site WPWS      39 56 38S  176 35 04E     Basalt file:  19940117_123055_WPWS",
            "Waipawa District Council", "Instrument Basalt_2413",
            "Resolution: 24-bit   Instr Period: 0.0050 s   Damping: 0.700",
            "Accelerogram 19940117_123055_WPWS_20                 Processed 2018 February 21",
            "6 km south of Waipukurau", "1994 January 17         12:30:55 UT",
            "Epicentre  34 15 00N 118 30 00W  Bearing S15W  Dist   13km  Depth   18km Mw 6.70",
            f"Number of points {n:5d}    Duration {(n - 1) * dt:.2f} sec",
            f"Instrument corrected data at {dt:.3f} sec intervals",
            "Band-pass filter transition bands are .10-.25 Hz and 24.50-25.50 Hz",
            f"Component {name}  Longitudinal Accelerometer Axis",
            f"Acceleration:  peak {peak:8.1f} mm/s/s at {time:6.2f} sec     rms      2.2 mm/s/s",
            "Velocity:      peak     1.65 mm/s   at  43.56 sec     rms     0.09 mm/s",
            "Displacement:  peak    0.131 mm     at  43.66 sec     rms    0.007 mm",
            *rows(integers, "%8d", 10), *rows(np.zeros(60), "%8.2f", 10),
            *rows(trace, "%8.1f", 10), *rows(np.ones(2 * n), "%8.1f", 10),
        ]  # fmt: skip
    return {"19940117_123055_WPWS_20.V2A": "\n".join(text) + "\n"}


def smc(acc, dt):
    files = {}
    for letter, trace, (vertical, horizontal) in zip(
        "abc", acc * 100, ((90, 90), (90, 360), (0, -32768)), strict=True
    ):
        integers = np.full(48, -32768)
        integers[[1, 2, 7, 8, 12, 13, 15, 16]] = (
            1994, 17, 111, 1, vertical, horizontal, 2, len(trace),
        )  # fmt: skip
        values = np.full(50, 1.7e38)
        values[[1, 2, 3, 4, 5, 7, 10, 11, 16]] = (
            1 / dt, 34.25, -118.5, 18.0, 6.7, 6.6, 37.728, -122.385, 89.0,
        )  # fmt: skip
        values[28:33] = 1.0, trace.max(), 2.0, trace.min(), 0.1
        text = [
            "2 CORRECTED ACCELEROGRAM", "*", "SAF0A", "     1994  01  17    1230 Northridge, CA",
            "Moment Mag=      6.7 Ms=          Ml=      6.6",
            "station = San Francisco, 1295 Shafter, F component= ", "epicentral dist =     89.0",
            "inst type=SMA-1      data source = USGS", "*", "*", "*",
            *rows(integers, "%10d", 8), *rows(values, "%15.7E", 5), "| one", "| two",
            # 8E10.4: a digit of the exponent
            *[row.replace("E+0", "E+").replace("E-0", "E-") for row in rows(trace, "%11.4E", 8)],
        ]  # fmt: skip
        files[f"0111{letter}.smc"] = "\n".join(text) + "\n"
    return files


def unam(acc, dt):
    gal, n = acc * 100, acc.shape[1]
    peaks = "/".join(f"{peak_at(t, dt)[0]:.4f}" for t in gal[[2, 1, 0]])
    text = f"""*********************************
                       INSTITUTO DE INGENIERIA, UNAM
ARCHIVO ESTANDAR DE ACELERACION:
VERSION DEL FORMATO                    : 2.0
NOMBRE DE LA ESTACION                  : ACAPULCO CENTRO CULTURAL
CLAVE DE LA ESTACION                   : ACAC
COORDENADAS DE LA ESTACION             : 16.84851 LAT. N
                                       : 99.85157 LONG. W
ORIENTACION C1-C6 (rumbo;orientacion)  : /V/N00E/N90E
INTERVALO DE MUESTREO, C1-C6 (s)       : /{dt}/{dt}/{dt}
FECHA DEL SISMO [GMT]                  : 1994/01/17
HORA EPICENTRO (GMT)                   : 12:30:55
MAGNITUD(ES)                           : /Ml=6.6/Mw=6.7
COORDENADAS DEL EPICENTRO              : 34.250 LAT. N
                                       : 118.500 LONG. W
PROFUNDIDAD FOCAL (Km)                 : 18
HORA DE LA PRIMERA MUESTRA (GMT)       : 12:30:50
NUM. TOTAL DE MUESTRAS, C1-C6          : /{n}/{n}/{n}
ACEL. MAX.(Gal), C1-C6                 : /{peaks}
UNIDADES DE LOS DATOS                  : Gal (cm/s/s)
FORMATO DATOS (FORTRAN,10 campos/dato) : 3F10.4
DATOS DE ACELERACION:
---------+---------+---------+---------
   CANAL-1   CANAL-2   CANAL-3
         V      N00E      N90E
---------+---------+---------+---------
"""
    return {"ACAC9401.171": text + "\n".join(rows(gal[[2, 1, 0]].T.ravel(), "%10.4f", 3)) + "\n"}


def csmnc(acc, dt):
    files = {}
    for k, (trace, name) in enumerate(zip(acc * 100, ("EW", "NS", "UD"), strict=True), 1):
        peak, time = peak_at(trace, dt)
        head = f"""065JZC94011720300{k}
0940117203055 1994-01-17 20:30:55 BTM
NORTHRIDGE EARTHQUAKE
EPICENTER  34.250N -118.500E DEPTH 18 KM
MAGNITUDE  6.7(Ms)
STATION: 65JZC 39.700N 77.599E
SITE CONDITION: SOIL
INSTRUMENT TYPE: ETNA/ES-T
OBSERVING POINT: GROUND
COMP. {name}
UNCORRECTED ACCELERATION          UNIT: CM/SEC/SEC
NO. OF POINTS:  {len(trace)}  EQUALLY SPACED INTERVALS OF:  {dt}  SEC
PEAK VALUE:    {peak:.3f}   AT   {time:.2f} SEC    DURATION:  64 SEC
PRE-EVENT TIME:  20  SEC  RECORDER TIME:  1994-01-17 20:30:44.000 BTM
CSMNC

"""
        files[f"ua000{k}.dat"] = head + "\n".join(rows(trace, "%15.6E", 8)) + "\n"
    return files


def cwa(acc, dt):
    gal = acc[[2, 1, 0]] * 100
    head = f"""#Earthquake Information
#Origin Time(GMT+08): 1994/01/17-20:30:55
#EpicenterLongitude(E): -118.5
#EpicenterLatitude(N): 34.25
#Depth(km): 18.0
#Magnitude(Ml): 6.7

#StationCode: EAS
#StartTime(GMT+08): 1994/01/17-20:30:44.000
#SampleRate(Hz): {1 / dt:g}
#AmplitudeUnit:  gal. DCoffset(corr)
""" + "".join(
        f"#AmplitudeMAX. {c}: {t.max():9.3f}~{t.min():9.3f}\n"
        for c, t in zip("UNE", gal, strict=True)
    )
    head += "#DataSequence: Time U(+); N(+); E(+)\n#Data: 4F10.3\n"
    columns = np.column_stack([np.arange(acc.shape[1]) * dt, gal.T])
    return {"1-EAS.dat": head + "\n".join(rows(columns.ravel(), "%10.3f", 4)) + "\n"}


def usgs(acc, dt):
    files = {}
    for name, trace in zip(("360 DEGREES", "090 DEGREES", "UP"), acc[[1, 0, 2]], strict=True):
        text = []
        for kind, width in (("AC", 2), ("VL", 3), ("DP", 3)):
            text += [
                " LOS ANGELES, 116TH ST SCHOOL",
                f" {name}",
                " EARTHQUAKE OF JANUARY 17, 1994 1230 GMT",
                " BUTTERWORTH AT .25 HZ, ORDER 4",
                " YEAR=1994 JULIAN DAY= 17 HOUR=12 MINUTE=30 SECOND=59 COMPONENT=  90",
                f" SAMPLES/SEC={1 / dt:3.0f} FILTER TYPE=BUTTERWORTH  CORNER= 0.25 ORDER=4 "
                f"DATA TYPE={kind}",
                f" NO OF POINTS= {len(trace):5d}, UNITS=CM/SEC**2, CM/SEC, AND CM",
                *rows(trace * 100 if kind == "AC" else 0 * trace, f"%8.{width}f", 10),
            ]
        files[f"la116{name[0].lower()}.001"] = "\n".join(text) + "\n"
    return files


#: {format: (writer, largest error of a sample in m/s2)}
LAYOUTS = {
    "csmip": (csmip_v2, 1e-7), "csmip film": (csmip_film, 5e-4), "usc": (usc, 5e-4),
    "bhrc": (bhrc, 1e-6), "geonet": (geonet, 6e-5), "smc": (smc, 6e-5), "unam": (unam, 1e-6),
    "csmnc": (csmnc, 1e-6), "cwa": (cwa, 6e-6),
    "usgs": (usgs, 6e-5),
}  # fmt: skip
