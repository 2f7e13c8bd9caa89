"""The matrix product that is fastest in fp32 on this CPU.

torch's `mm` calls MKL, which runs at less than half speed on CPUs that are not Intel's; oneDNN, which
torch also ships, does not (measured on Zen 5, one thread: 105 against 240 GFLOP/s). The choice depends
on the CPU alone, so results on one machine stay bit-exact from run to run.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

_FEW_ROWS = 12
"""Below this many rows MKL is ahead everywhere."""


@cache
def prefers_onednn() -> bool:
    """Whether oneDNN's fp32 product is to be used: a CPU that is not Intel's, and a torch that has it."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):  # type: ignore[no-untyped-call]
        return False
    info = Path("/proc/cpuinfo")
    return info.exists() and "AuthenticAMD" in info.read_text()


def matmul_t(x: Tensor, weight: Tensor) -> Tensor:
    """`x @ weight.T` for x [..., K] and weight [N, K], either of any strides, without gradient."""
    if (
        x.dtype == torch.float32
        and x.device.type == "cpu"
        and x.numel() >= _FEW_ROWS * x.shape[-1]
        and prefers_onednn()
    ):
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
        return product
    return x @ weight.t()


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """`left.T @ right` [N, K] for left [M, N] and right [M, K]; the wider one last is up to a third faster."""
    if left.shape[1] > right.shape[1]:
        return matmul_t(right.t(), left.t()).t()
    return matmul_t(left.t(), right.t())


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return matmul_t(x, weight)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        (grad,) = grads
        return matmul_t(grad, weight.t()), _outer(grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1]))


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """`x @ weight.T` with gradient, in the dtype of x."""
    if x.device.type != "cpu" or x.dtype != weight.dtype:
        return F.linear(x, weight.to(x.dtype))
    product: Tensor = _Linear.apply(x, weight)  # type: ignore[no-untyped-call]
    return product


class _RMSNorm(torch.autograd.Function):
    """RMSNorm with its gradient in five passes over the data (the composite of torch takes about fifteen)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        inverse = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        unit: Tensor = x * inverse
        ctx.save_for_backward(unit, weight, inverse)
        return unit * weight

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        unit, weight, inverse = ctx.saved_tensors  # type: ignore[attr-defined]
        (grad,) = grads
        grad_weight = (grad * unit).reshape(-1, *weight.shape).sum(0)
        scaled = grad * weight
        mean = (torch.einsum("...d,...d->...", scaled, unit) / unit.shape[-1]).unsqueeze(-1)
        return torch.addcmul(scaled, unit, mean, value=-1).mul_(inverse), grad_weight, None


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Root-mean-square norm over the last dimension; `weight` may cover further leading dimensions (heads)."""
    normed: Tensor = _RMSNorm.apply(x, weight, eps)  # type: ignore[no-untyped-call]
    return normed


class _SwiGLU(torch.autograd.Function):
    """The gated unit, whose gradient is written in place beside its twin instead of being copied there."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, -1)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors  # type: ignore[attr-defined]
        (grad,) = grads
        gate, up = gate_up.chunk(2, -1)
        result = torch.empty_like(gate_up)
        grad_gate, grad_up = result.chunk(2, -1)
        torch.mul(grad, F.silu(gate), out=grad_up)
        torch.ops.aten.silu_backward.grad_input(grad * up, gate, grad_input=grad_gate)
        return result


def swiglu(gate_up: Tensor) -> Tensor:
    """`silu(gate) · up` [..., F] for gate and up side by side [..., 2 F]."""
    product: Tensor = _SwiGLU.apply(gate_up)  # type: ignore[no-untyped-call]
    return product
