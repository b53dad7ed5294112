"""Networks: the generator and discriminator of a DCGAN, and a classifier to judge them by."""

from minigan.models.classifier import Classifier
from minigan.models.dcgan import DCGANDiscriminator, DCGANGenerator

__all__ = ["Classifier", "DCGANDiscriminator", "DCGANGenerator"]
