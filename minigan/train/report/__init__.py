"""The report of a run: one page with its options, curves, pictures and figures.

    gather.py    reads a run folder, whatever is in it, and says what is missing or broken
    history.py   metrics.jsonl as series over the steps
    album.py     samples/*.png as films over the steps, and still pictures; films.py: as HTML
    figures.py   quality.json as a table beside its floor
    curves.py    which series go into which chart; scale.py, charts.py: a chart as SVG
    page.py      the page; style.css is how it looks, script.js moves its slider

A run folder may come from anywhere: what is read is bounded, checked and escaped (see
`train/webpage.py`). The page stays below 10 MB and needs no network.
"""
