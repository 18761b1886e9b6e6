#!/bin/sh
# wgan-small from nothing: train, share between events, bundle, evaluate.
#   sh validation/wgan_small/train.sh WORK
# WORK holds data/simulated and data/observed as validation/cvae_gan_small/train.sh makes them;
# started again, the training goes on where it stopped. About 1.5 hours on one core.
set -e
WORK=$1
HERE=$(dirname "$0")
PYTHON=${PYTHON:-.venv/bin/python}
GWM=${GWM:-.venv/bin/gwm-hazard}

cp "$HERE/train.toml" "$WORK/wgan.toml"
$GWM train "$WORK/wgan.toml" --output "$WORK/wgan"
[ -d "$WORK/wgan/shared" ] || $GWM models between-event "$WORK/wgan/model" \
    --output "$WORK/wgan/shared"
$PYTHON validation/bundle.py wgan-small "$WORK/wgan/shared"
$PYTHON validation/highfem_small/evaluate.py --data "$WORK/data/observed" --model wgan-small
