"""NumPy by hand with the flow and the neural ODE: every method of the protocol."""

from adapters.numpy_by_hand import NumpyByHand
from adapters.stepping import Stepped


class NumpyComplete(Stepped, NumpyByHand):
    pass


factory = NumpyComplete
