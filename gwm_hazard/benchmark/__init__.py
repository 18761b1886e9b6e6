"""The benchmark of generative waveform models, beside ground-motion models and observed records.

``observations`` reads records or flatfiles, ``predictions`` gives what each model says of them,
``metrics/`` holds the measures as pure functions, ``sections/`` one evaluation a module,
``report/`` the page, and ``run`` puts them together.
"""
