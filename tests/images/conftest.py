import jax
import pytest

from jinv.images.fourier import Fourier

WHOLE = {
    name: jax.jit(getattr(Fourier, name), static_argnums=0)
    for name in ("init", "render", "coefficients_of")
}


@pytest.fixture(autouse=True)
def whole(monkeypatch):
    """Functions are compiled whole, as in a step: part by part it takes longer."""
    for name, function in WHOLE.items():
        monkeypatch.setattr(Fourier, name, function)
