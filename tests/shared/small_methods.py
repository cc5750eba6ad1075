"""The methods at sizes that tests can afford."""

from __future__ import annotations

from heatmark.methods.registry import METHODS

#: Every method, with few enough variants for a test.
SMALL = {
    "blur_ig": "blur_ig[steps=4]",
    "conductance": "conductance[steps=3]",
    "expected_gradients": "expected_gradients[samples=4]",
    "extremal_perturbation": "extremal_perturbation[steps=3,cells=4,areas=0.1+0.3]",
    "feature_ablation": "feature_ablation[segments=9]",
    "guided_ig": "guided_ig[steps=4]",
    "hsic": "hsic[masks=14,cells=3]",
    "integrated_gradients": "integrated_gradients[steps=5]",
    "internal_influence": "internal_influence[steps=3]",
    "kernel_shap": "kernel_shap[samples=24,segments=9]",
    "lime": "lime[samples=16,segments=9]",
    "occlusion": "occlusion[window=4,stride=3]",
    "opti_cam": "opti_cam[steps=3]",
    "rise": "rise[masks=20,cells=4]",
    "shapley_sampling": "shapley_sampling[permutations=3,segments=9]",
    "smooth": "smooth[saliency,samples=3]",
    "smoothgrad": "smoothgrad[samples=4]",
    "sobol": "sobol[designs=2,cells=3,score=logit]",
    "vargrad": "vargrad[samples=4]",
    "xrai": "xrai[steps=3]",
}
#: Methods of our own; those of other libraries have tests elsewhere. The oracle needs masks.
NAMES = [
    entry.name for entry in METHODS if entry.origin == "heatmark" and ":" not in entry.name and entry.name != "oracle"
]
SHAPES = {"2-D": (12, 12, 3), "oblong": (10, 14, 1), "1-D": (20, 2)}
