"""Networks: a DCGAN, a VAE around the same generator, and a classifier to judge them by."""

from minigan.models.classifier import Classifier
from minigan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from minigan.models.vae import VAE, ConvVAE

__all__ = ["Classifier", "ConvVAE", "DCGANDiscriminator", "DCGANGenerator", "VAE"]
