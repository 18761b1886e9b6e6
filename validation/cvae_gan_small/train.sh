#!/bin/sh
# cvae-gan-small from nothing: simulate, prepare observed records, train, bundle, evaluate.
#   sh validation/cvae_gan_small/train.sh DATA [WORK]
# DATA: the folder with observed_3c.h5, observed_3c_b.h5, observed_2h.h5, observed_2h_b.h5 and
# metadata.csv. WORK (build/cvae_gan_small) takes 2 GB; started again, each step goes on where it
# stopped.
set -e
DATA=$1
WORK=${2:-build/cvae_gan_small}
HERE=$(dirname "$0")
PYTHON=${PYTHON:-.venv/bin/python}
GWM=${GWM:-.venv/bin/gwm-hazard}

mkdir -p "$WORK/data"
cp "$HERE/train.toml" "$WORK"
for each in observed_3c:12Z observed_3c_b:12Z observed_2h:12 observed_2h_b:12; do
    name=${each%%:*}
    [ -d "$WORK/data/$name" ] || $PYTHON validation/data/prepare_shared.py --data "$DATA" \
        --file "$name.h5" --components "${each##*:}" --output "$WORK/data/$name"
done
[ -d "$WORK/data/observed/two" ] || $PYTHON "$HERE/observed.py" \
    --three "$WORK/data/observed_3c" "$WORK/data/observed_3c_b" \
    --two "$WORK/data/observed_2h" "$WORK/data/observed_2h_b" --output "$WORK/data/observed"
[ -d "$WORK/data/simulated" ] || $GWM data simulate "$HERE/simulation.toml" --resume \
    --output "$WORK/data/simulated"
$GWM train "$WORK/train.toml" --output "$WORK/run"
$PYTHON validation/bundle.py cvae-gan-small "$WORK/run/model"
$PYTHON "$HERE/evaluate.py" --observed "$WORK/data/observed" --simulated "$WORK/data/simulated"
