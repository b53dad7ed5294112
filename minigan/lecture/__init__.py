"""The lecture: the examples run, and one web page of theory, numbers and pictures made of them.

    examples.py   finds the examples of a checkout and runs them
    chapters.py   reads the theory, `examples/lecture/*.md`, and where each example has its place
    markup.py     Markdown, formulas and programs as HTML
    page.py       the page; style.css is how it looks

The page is one file that needs no network: formulas are MathML, pictures are inside. Optional
packages (extra `train`) are imported freely here; `import minigan` imports none of this.
"""
