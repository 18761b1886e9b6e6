#!/bin/sh
# A small WGAN-GP of the sets of cvae-gan-small: train, evaluate. It does not ship: after 1,300 steps
# its motions come in lumps (collapse.json: coverage 0.08).
#   sh validation/wgan_small/train.sh WORK
# WORK holds data/simulated and data/observed as validation/cvae_gan_small/train.sh makes them;
# started again, the training goes on where it stopped.
set -e
WORK=$1
HERE=$(dirname "$0")
PYTHON=${PYTHON:-.venv/bin/python}
GWM=${GWM:-.venv/bin/gwm-hazard}

cp "$HERE/train.toml" "$WORK/wgan.toml"
$GWM train "$WORK/wgan.toml" --output "$WORK/wgan"
$PYTHON validation/highfem_small/evaluate.py --data "$WORK/data/observed" \
    --simulated "$WORK/data/simulated" --model "$WORK/wgan/model"
