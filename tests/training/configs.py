"""A configuration for networks of a few thousand weights."""

TINY = """
seed = 1
[data]
folder = "{folder}"
[autoencoder]
latent_channels = 8
model_channels = 16
channel_mult = [1]
num_res_blocks = 1
groups = 8
patch = 8
fit = {{steps = 6, batch = 4, rate = 3e-4, warmup = 2, check = 3, average = 0.9}}
[baseline]
width = 8
fit = {{steps = 6, batch = 4, warmup = 2, check = 3, average = 0.9}}
[denoiser]
model_channels = 16
channel_mult = [1, 2]
attention_resolutions = []
num_res_blocks = 1
groups = 8
fit = {{steps = 6, batch = 4, warmup = 2, check = 3, average = 0.9}}
[tuning]
rank = 2
parts = ["baseline", "denoiser"]
baseline = {{steps = 4, batch = 4, check = 2, average = 0.9}}
denoiser = {{steps = 4, batch = 4, check = 2, average = 0.9}}
[machine]
accelerator = "cpu"
precision = "32-true"
threads = 1
[model]
steps = 3
griffin_lim = 2
card = {{name = "tiny"}}
"""

CLASSIFIER = """
[classifier]
latent_channels = 8
model_channels = 8
channel_mult = [1]
groups = 4
patch = 8
fit = {steps = 30, batch = 8, rate = 3e-3, warmup = 2, check = 10, average = 0.9}
"""
