"""All augmentations pass the contract, with parameters strong enough to have an effect on small images."""

from __future__ import annotations

from marsseg_core.testing import AugmentationContract
from marsseg_plugins.augmentations.blur import Blur
from marsseg_plugins.augmentations.brightness import Brightness
from marsseg_plugins.augmentations.contrast import Contrast
from marsseg_plugins.augmentations.cutmix import CutMix
from marsseg_plugins.augmentations.elastic import Elastic
from marsseg_plugins.augmentations.erase import Erase
from marsseg_plugins.augmentations.gridmask import GridMask
from marsseg_plugins.augmentations.hflip import HFlip
from marsseg_plugins.augmentations.mars import Mars
from marsseg_plugins.augmentations.noise import Noise
from marsseg_plugins.augmentations.rockmix import RockMix
from marsseg_plugins.augmentations.rotate import Rotate
from marsseg_plugins.augmentations.shear import Shear
from marsseg_plugins.augmentations.translate import Translate
from marsseg_plugins.augmentations.vflip import VFlip
from marsseg_plugins.augmentations.zoom import Zoom


class TestHFlip(AugmentationContract):
    component = HFlip()
    geometric = True
    draws = False


class TestVFlip(AugmentationContract):
    component = VFlip()
    geometric = True
    draws = False


class TestRotate(AugmentationContract):
    component = Rotate(degrees=40)
    geometric = True
    nothing = Rotate(degrees=0)


class TestTranslate(AugmentationContract):
    component = Translate(rows=0.3, columns=0.3)
    geometric = True
    nothing = Translate(rows=0, columns=0)


class TestZoom(AugmentationContract):
    component = Zoom(smallest=0.5, largest=2)
    geometric = True
    nothing = Zoom(smallest=1, largest=1)


class TestShear(AugmentationContract):
    component = Shear(degrees=30)
    geometric = True
    nothing = Shear(degrees=0)


class TestMars(AugmentationContract):
    component = Mars(zoom=2, degrees=40, brightness=0, contrast=0)
    geometric = True


class TestLightOfMars(AugmentationContract):
    component = Mars(zoom=1, degrees=0, brightness=0.3, contrast=0.5)
    geometric = True  # the flip is left


class TestElastic(AugmentationContract):
    component = Elastic(pixels=2, sigma=5)
    geometric = True
    nothing = Elastic(pixels=0)


class TestMirroredRotate(AugmentationContract):
    component = Rotate(degrees=40, fill="mirror")
    geometric = True


class TestBlackZoom(AugmentationContract):
    component = Zoom(smallest=0.5, largest=0.9, fill="black")
    geometric = True


class TestErase(AugmentationContract):
    component = Erase(area=0.4, count=2)
    nothing = Erase(area=0)


class TestNoisyErase(AugmentationContract):
    component = Erase(area=0.4, fill="noise", labels="keep")
    leaves_masks = True


class TestGridMask(AugmentationContract):
    component = GridMask()
    nothing = GridMask(covered=0)


class TestBlackGridMask(AugmentationContract):
    component = GridMask(fill="black", labels="keep")
    leaves_masks = True


class TestBrightness(AugmentationContract):
    component = Brightness(strength=0.5)
    leaves_masks = True
    nothing = Brightness(strength=0)


class TestContrast(AugmentationContract):
    component = Contrast(strength=0.9)
    leaves_masks = True
    nothing = Contrast(strength=0)


class TestNoise(AugmentationContract):
    component = Noise(sigma=0.3)
    leaves_masks = True
    nothing = Noise(sigma=0)


class TestBlur(AugmentationContract):
    component = Blur(sigma=3)
    leaves_masks = True
    nothing = Blur(sigma=0)


class TestCutMix(AugmentationContract):
    component = CutMix()
    mixes = True
    nothing = CutMix(smallest=0, largest=0)


class TestRockMix(AugmentationContract):
    component = RockMix()
    mixes = True
    nothing = RockMix(smallest=0, largest=0)
