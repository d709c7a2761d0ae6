"""The training step in PyTorch: eager or compiled, on a GPU as a CUDA graph."""

import torch
from torch.nn.functional import linear, softplus

from common import BOUND, DECAY, EPSILON, RATE, STEPS, Batches, start

torch.set_grad_enabled(False)


class Peer:
    name = "PyTorch, eager"
    compiled = False

    def __init__(self, images, latent, chains, batch, seed, device="cpu"):
        torch.manual_seed(seed)
        self.device = torch.device(device)
        W, b, A, x = (torch.from_numpy(array).to(self.device) for array in start(images, latent, chains, seed))
        # W lies as [L, D], the layout of torch.nn.Linear: MKL's products are up to 4 times faster for it at L = 10
        self.theta = [W.T.contiguous(), b, A]
        self.squares = [torch.zeros_like(theta) for theta in self.theta]
        self.chains, self.images = x, torch.from_numpy(images).to(self.device)
        self.count = torch.zeros((), device=self.device)
        self.batches = Batches(len(images), batch, seed)
        self.index = torch.arange(batch, device=self.device) % len(images)  # where a graph finds its minibatch
        self.gradients = torch.compile(gradients) if self.compiled else gradients
        self.update = torch.compile(update) if self.compiled else update
        self.graph = self.capture() if self.device.type == "cuda" else None

    def capture(self):
        """One step as a CUDA graph: no kernel waits for Python. The default generator draws anew at each replay."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # compilation and the libraries' first calls cannot be captured
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        return graph

    def run(self, steps):
        for index in torch.from_numpy(self.batches.take(steps)).to(self.device):
            self.index.copy_(index)
            self.graph.replay() if self.graph else self.step()
        if self.graph:
            torch.cuda.synchronize()

    def parameters(self):
        W, b, A = (theta.cpu().numpy() for theta in self.theta)
        return W.T, b, A

    def step(self):
        self.walk()
        images = torch.index_select(self.images, 0, self.index)
        self.update(self.theta, self.squares, self.gradients(*self.theta, self.chains, images), self.count)

    def walk(self):
        W, b, A = self.theta
        p = linear(self.chains, W, b).softmax(1)
        cumulative = p.cumsum(1)
        point = torch.rand(len(p), 1, device=self.device) * cumulative[:, -1:]
        z = torch.searchsorted(cumulative, point, right=True).squeeze(1).clamp_(max=len(b) - 1)
        s = A.sigmoid()
        if self.device.type == "cuda":
            torch.lt(torch.rand_like(self.chains), s[z], out=self.chains)
        else:
            # 64 random bits serve two pixels, as integers: twice as fast as uniforms, and the limit keeps f32's 24 bits
            bits = torch.empty(-(-self.chains.numel() // 2), dtype=torch.int64).random_(-(2**63), None)
            limit = (s * 2.0**32 - 2.0**31).to(torch.int32)
            bits = bits.view(torch.int32)[: self.chains.numel()].view_as(self.chains)
            torch.lt(bits, limit.index_select(0, z), out=self.chains)


class Compiled(Peer):
    name = "PyTorch, compiled"
    compiled = True


def gradients(W, b, A, chains, images):
    log_p = linear(chains, W, b).log_softmax(1)
    log_pi = log_mean_exp(log_p)

    log_q = linear(images, A, -softplus(A).sum(1))
    log_joint = log_q + log_pi
    log_density = log_joint.logsumexp(1, keepdim=True)
    log_u = log_mean_exp(log_q - log_density)
    r = (log_joint - log_density).exp()
    gradient_A = (r.T @ images - r.sum(0)[:, None] * A.sigmoid()) / len(images)

    credit = (log_p + log_u).exp()
    excess = (credit - log_p.exp() * credit.sum(1, keepdim=True)) / len(chains)
    return [excess.T @ chains, excess.sum(0), gradient_A]


def update(theta, squares, gradients, count):
    rate = RATE * (1 - count / STEPS).clamp(min=0)
    torch._foreach_mul_(squares, DECAY)
    torch._foreach_addcmul_(squares, gradients, gradients, 1 - DECAY)
    root = torch._foreach_sqrt(squares)
    torch._foreach_add_(root, EPSILON)
    torch._foreach_mul_(gradients, rate)
    torch._foreach_addcdiv_(theta, gradients, root)
    theta[2].clamp_(-BOUND, BOUND)
    count += 1


def log_mean_exp(a):
    """ln of the mean of exp over the rows."""
    top = a.amax(0)
    return (a - top).exp().mean(0).log() + top
