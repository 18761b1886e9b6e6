#!/bin/sh
# broadband-small from nothing: simulate, prepare observed records, train, bundle, evaluate.
#   sh validation/broadband_small/train.sh DATA [WORK]
# DATA: the folder with metadata.csv, observed_2h_fill.csv and the files of waveforms. WORK
# (build/broadband_small) takes 2 GB; started again, each step goes on where it stopped.
set -e
DATA=$1
WORK=${2:-build/broadband_small}
HERE=$(dirname "$0")
PYTHON=${PYTHON:-.venv/bin/python}
GWM=${GWM:-.venv/bin/gwm-hazard}

mkdir -p "$WORK/data"
cp "$HERE/train.toml" "$WORK"
[ -d "$WORK/data/observed" ] || $PYTHON "$HERE/observed.py" --data "$DATA" \
    --output "$WORK/data/observed"
[ -d "$WORK/data/simulated" ] || $GWM data simulate "$HERE/simulation.toml" --resume \
    --output "$WORK/data/simulated"
$GWM train "$WORK/train.toml" --output "$WORK/run"
$PYTHON validation/bundle.py broadband-small "$WORK/run/model"
$PYTHON "$HERE/evaluate.py" --data "$WORK/data/observed"
