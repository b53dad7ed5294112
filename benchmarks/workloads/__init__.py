"""The five workloads: whole training steps of GANs, written with minigan.

| name | what one step is |
|---|---|
| toy | 2-D WGAN-GP, MLPs of 3 x 128, batch 256: critic (double backward), then generator |
| wgangp32 | the same game with convolutions: 32x32 images, width 64, batch 64 |
| dcgan64 | PyTorch's DCGAN: 64x64, width 64, batch 64, batch norm |
| style32 | mapping network, AdaIN and noise: 32x32, width 128, batch 16, R1 penalty every step |
| cyclegan128 | two ResNet-6 generators, two 70x70 PatchGANs: 128x128, batch 1, identity loss |

Each module has a class `Workload(size, device=...)` with one method, `step()`, which trains once
and returns its losses as floats. `benchmarks/peers` has the same classes for other frameworks.

Batches are drawn beforehand. Learning rates are smaller than the papers': Adam's first steps are
nearly signs of gradients, and float32 sums in another order can turn a sign. At the papers' rates
the losses of one framework with itself, in two memory layouts, part by more than 1e-3 within three
steps; at these they do not, and a step costs the same.
"""
