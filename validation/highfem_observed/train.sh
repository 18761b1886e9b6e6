#!/bin/sh
# highfem-observed: observed records, their shapes, tuning of highfem-small, bundle, evaluate.
#   sh validation/highfem_observed/train.sh DATA [WORK]
# DATA: the folder with metadata.csv, observed_2h_fill.csv and the four files of waveforms. WORK
# (build/highfem_observed) takes 3 GB; started again, each step goes on where it stopped. About an
# hour on one core.
set -e
DATA=$1
WORK=${2:-build/highfem_observed}
HERE=$(dirname "$0")
PYTHON=${PYTHON:-.venv/bin/python}
GWM=${GWM:-.venv/bin/gwm-hazard}

mkdir -p "$WORK/data"
cp "$HERE/tune.toml" "$WORK"
[ -d "$WORK/data/observed" ] || $PYTHON "$HERE/records.py" --data "$DATA" \
    --output "$WORK/data/observed"
[ -d "$WORK/data/simulated" ] || $GWM data simulate validation/cvae_gan_small/simulation.toml \
    --records 14000 --resume --output "$WORK/data/simulated"
[ -d "$WORK/data/shapes" ] || $PYTHON "$HERE/shapes.py" --data "$WORK/data/observed" \
    --output "$WORK/data/shapes"
$GWM train "$WORK/tune.toml" --from highfem-small --output "$WORK/run"
$PYTHON validation/bundle.py highfem-observed "$WORK/run/model"
$PYTHON "$HERE/evaluate.py" --data "$WORK/data/observed"
