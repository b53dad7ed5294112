"""Training: recipes, the loop, and everything a run leaves on disk.

    config/        what a run is: one frozen dataclass a recipe, checked, written as TOML
    options.py     one option: its range and its help; settings.py: where its value comes from
    recipes.py     from a config to networks, optimisers and data
    trainer.py     what all trainers share, and the whole state as arrays
    gan.py         one step of the game; style.py and toy.py: that of styles, and in the plane;
                   vae.py: one step up the evidence lower bound
    cyclegan.py    one of translation without pairs; pix2pix.py: with them; translating.py: what
                   both share; translation.py: their figures
    loop.py        steps, logs, previews, figures, checkpoints, interruption, and going on
    run_folder.py  the folder of a run; checkpoints.py, checkpoint.py, pictures.py, records.py and
                   events.py are what lies in it, files.py how it gets there whole
    overview.py    many runs at a glance
    threads.py     how many threads BLAS uses
    sample.py      a seed names an image; translate.py: pictures of files, translated
    quality.py     the figures of images, toy_figures.py those of points; norms.py: those of the
                   networks on the way
    report/        the page about a run; webpage.py is what it shares with the lecture

Optional packages (extra `train`) are imported freely here; `import minigan` imports none of this.
"""
