"""Training: recipes, the loop, and everything a run leaves on disk.

    config.py      what a run is: one frozen dataclass a recipe, checked, written as TOML
    recipes.py     from a config to networks, optimisers and data
    trainer.py     what all trainers share, and the whole state as arrays
    gan.py         one step of the game; vae.py: one step up the evidence lower bound
    loop.py        steps, logs, previews, checkpoints, interruption
    run_folder.py  the folder of a run; checkpoint.py, pictures.py and records.py are its files
    threads.py     how many threads BLAS uses
    sample.py      a seed names an image
    quality.py     the figures at the end; norms.py: those of the networks on the way
    report/        the page about a run; webpage.py is what it shares with the lecture

Optional packages (extra `train`) are imported freely here; `import minigan` imports none of this.
"""
