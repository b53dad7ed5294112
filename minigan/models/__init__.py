"""Networks: GANs of many kinds, a VAE, translation of images, and a classifier to judge them by."""

from minigan.models.classifier import Classifier
from minigan.models.conditional import (
    ConditionalBatchNorm2d,
    ConditionalGenerator,
    ProjectionDiscriminator,
)
from minigan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from minigan.models.image_pool import ImagePool
from minigan.models.patch import PatchDiscriminator, PixelDiscriminator
from minigan.models.resnet_generator import ResNetGenerator
from minigan.models.sngan import SNGANDiscriminator, SNGANGenerator
from minigan.models.style import MappingNetwork, StyleGenerator
from minigan.models.style_discriminator import StyleDiscriminator
from minigan.models.style_transfer import StyleTransfer, match_colours
from minigan.models.unet import UNetGenerator
from minigan.models.vae import VAE, ConvVAE

__all__ = [
    "Classifier",
    "ConditionalBatchNorm2d",
    "ConditionalGenerator",
    "ConvVAE",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "ImagePool",
    "MappingNetwork",
    "PatchDiscriminator",
    "PixelDiscriminator",
    "ProjectionDiscriminator",
    "ResNetGenerator",
    "SNGANDiscriminator",
    "SNGANGenerator",
    "StyleDiscriminator",
    "StyleGenerator",
    "StyleTransfer",
    "UNetGenerator",
    "VAE",
    "match_colours",
]
