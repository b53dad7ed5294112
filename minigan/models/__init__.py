"""Networks: a DCGAN, a VAE around the same generator, and a classifier to judge them by."""

from minigan.models.classifier import Classifier
from minigan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from minigan.models.image_pool import ImagePool
from minigan.models.patch import PatchDiscriminator, PixelDiscriminator
from minigan.models.resnet_generator import ResNetGenerator
from minigan.models.unet import UNetGenerator
from minigan.models.vae import VAE, ConvVAE

__all__ = [
    "Classifier",
    "ConvVAE",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "ImagePool",
    "PatchDiscriminator",
    "PixelDiscriminator",
    "ResNetGenerator",
    "UNetGenerator",
    "VAE",
]
