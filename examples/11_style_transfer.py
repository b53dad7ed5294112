"""11. Style transfer: the statistics of one image given to another.

Take the mean and the deviation of every channel of an image, over all its pixels, and replace them
by those of another image:

    y = sigma(style) (x - mu(x)) / sigma(x) + mu(style)

On the three colours this is the oldest colour transfer there is. On the channels of a *feature map*
it is AdaIN (Huang and Belongie 2017, arXiv:1703.06868): with f = E(content) and s = E(style),

    image = G((1 - alpha) f + alpha AdaIN(f, s))

where G turns features back into an image, and alpha goes from 0, the content, to 1. A channel that
answers to an edge of one direction or one grain of texture now has the strength that it has in the
style, and so does its average: the style is what is left of an image when all places are forgotten.

The paper's E is a network that had been trained on a million photographs, deep enough for its
channels to know brush strokes. Here everything is learned on the spot from 64 x 64 crops of
scikit-learn's two photographs, and three things are asked of E and G:

* reconstruction: G(E(x)) is x;
* content: E(G(t)) is t for t = AdaIN(f, s), features that no photograph has;
* style: the statistics of E(G(t)) are those of s.

Such an E sees 10 x 10 pixels at a time, so expect colours, contrast and the strength of fine
detail to cross over; do not expect petals on the temple. Printed is how far the statistics are from
the style's in the feature space (root mean square over the channels), beside what matching the
colours alone achieves: about as near for the temple, whose colours are most of the difference, and
not as near for the dahlia, whose soft background has less detail than the temple's picture.

In the picture the temple goes into a dusk of dark greens and oranges, its sky from blue to grey;
matching colours turns all of that sky brown. The dahlia is bleached by the statistics of a picture
that is half bright sky, its outer petals beyond white; matching colours makes its background brown
and bright blue. At alpha = 0 the photographs come back, the temple's finest lines blurred, as the
training is short; near alpha = 1 a faint grid of two pixels can be seen in smooth places.

Run it with `python examples/11_style_transfer.py --out out`.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import minigan as mg
from minigan.data import load_photographs, stream
from minigan.data.photographs import random_crops
from minigan.models import StyleTransfer, match_colours
from minigan.models.style_transfer import statistics
from minigan.optim import Adam
from minigan.optim.schedules import LinearDecay
from minigan.train.pictures import to_bytes

CROPS, SIDE = 4, 64  # of each photograph in a step
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def train(model, pictures, steps):
    """Train on crops, each photograph being content and style in turn."""
    adam = Adam(model.parameters(), lr=2e-3)
    decay = LinearDecay(adam, steps, start=steps // 2)
    for step in range(steps):
        generator = stream(0, "crops", step)
        crops = [
            mg.tensor(random_crops(picture, CROPS, size=SIDE, generator=generator))
            for picture in pictures
        ]
        losses = model.losses(crops[step % 2], crops[1 - step % 2])
        adam.zero_grad()
        (losses.reconstruction + losses.content + losses.style).backward()
        adam.step()
        decay.step()
        if step % (steps // 5) == 0 or step == steps - 1:
            print(f"step {step:4}" + "".join(f"{loss.item():16.4f}" for loss in losses))


def gap(model, image, style):
    """Root mean square distance of the two images' statistics: of means, of deviations."""
    pairs = zip(*(statistics(model.encoder(x)) for x in (image, style)), strict=True)
    return [float(np.sqrt(np.mean((a.numpy() - b.numpy()) ** 2))) for a, b in pairs]


def transfer(model, content, style):
    """Return {title: image} from the content to the style; print the distances."""
    images = {"content": content}
    images |= {f"alpha = {alpha:g}": model.stylize(content, style, alpha) for alpha in ALPHAS}
    images |= {"colours matched": match_colours(content, style), "style": style}
    error = np.abs(images["alpha = 0"].numpy() - content.numpy()).mean()
    print(f"alpha = 0: mean |G(E(x)) - x| is {error:.3f}, of values from -1 to 1")
    for name in ("content", "alpha = 0.5", "alpha = 1", "colours matched"):
        means, deviations = gap(model, images[name], style)
        print(f"  {name:17}{means:12.3f}{deviations:14.3f}")
    return images


def draw(rows, path):
    """Draw rows of images (1, 3, H, W) under their titles."""
    figure, axes = plt.subplots(2 * len(rows), 4, figsize=(16, 5.9 * len(rows)))
    shown = [item for row in rows for item in row.items()]
    for axis, (title, image) in zip(axes.flat, shown, strict=True):
        axis.imshow(to_bytes(image.numpy())[0].transpose(1, 2, 0))
        axis.set_title(title, fontsize=11)
        axis.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main(out, smoke):
    mg.manual_seed(0)
    pictures = [picture[:, :424] for picture in load_photographs()]  # (3, 424, 640)
    if smoke:
        pictures = [picture[:, 100:228, 200:328] for picture in pictures]  # (3, 128, 128)
    model = StyleTransfer(width=4 if smoke else 16)
    print(f"{model.num_parameters():,} weights; losses   reconstruction  content  style")
    train(model, pictures, steps=10 if smoke else 500)

    rows = []
    china, flower = (mg.tensor(picture[None]) for picture in pictures)  # (1, 3, H, W)
    with mg.no_grad():
        for content, style in ((china, flower), (flower, china)):
            print("distance to the style:   of means   of deviations")
            rows.append(transfer(model, content, style))
    picture = out / "11_style_transfer.png"
    draw(rows, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="AdaIN style transfer on two photographs.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--smoke", action="store_true", help="few steps, for the tests")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    main(options.out, options.smoke)
