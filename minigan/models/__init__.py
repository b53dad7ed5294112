"""Networks: GANs of many kinds, a VAE, translation of images, and a classifier to judge them by."""

from minigan.models.classifier import Classifier
from minigan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from minigan.models.image_pool import ImagePool
from minigan.models.patch import PatchDiscriminator, PixelDiscriminator
from minigan.models.resnet_generator import ResNetGenerator
from minigan.models.style_transfer import StyleTransfer, match_colours
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
    "StyleTransfer",
    "UNetGenerator",
    "VAE",
    "match_colours",
]
