"""PyTorch, eager, on the CPU: written the way its own examples are.

Where PyTorch's reference code for a GAN spares the discriminator's weight gradients in the
generator's step (`requires_grad_(False)`), so does this one: everywhere but in its DCGAN example.
Variants: "channels-last" keeps images and kernels in channels-last memory; "frozen" spares those
gradients in `dcgan64` too.
"""
