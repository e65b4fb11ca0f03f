"""Train or read with a network of the shape that PyLaia publishes, in plain PyTorch and fp32, as PyLaia runs it.

    python benchmarks/pylaia_shape.py train|read LINES

PyLaia itself needs Python 3.10 or older. The network: four 3 x 3 convolutions of 12, 24, 48 and 48 features with batch
normalisation, LeakyReLU and poolings 2, 2, none, 2, then three bidirectional LSTM layers of 256 (Puigcerver 2017, "Are
multidimensional recurrent layers really necessary for handwritten text recognition?", and PyLaia's documentation).
Batches of 8 lines of 64 x 707 px with 40 graphemes of 100; the loss, the optimiser (RMSprop) and the batch are PyLaia's
defaults. What is on the lines does not change the time.
"""

import sys

import torch
from torch import Tensor, nn

BATCH, HEIGHT, WIDTH, GRAPHEMES, CLASSES = 8, 64, 707, 40, 100


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, pool in ((1, 12, 2), (12, 24, 2), (24, 48, 0), (48, 48, 2)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.LeakyReLU()]
            layers += [nn.MaxPool2d(pool)] if pool else []
        self.convolutions = nn.Sequential(*layers)
        self.recurrent = nn.LSTM(48 * HEIGHT // 8, 256, 3, bidirectional=True, dropout=0.5)
        self.head = nn.Linear(512, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        features = self.convolutions(images).permute(3, 0, 1, 2).flatten(2)
        return self.head(self.recurrent(features)[0]).log_softmax(2)


def main(job: str, lines: int) -> None:
    torch.manual_seed(0)
    network = Network()
    optimizer = torch.optim.RMSprop(network.parameters(), lr=5e-4)
    network.train(job == "train")
    for begin in range(0, lines, BATCH):
        batch = min(BATCH, lines - begin)
        images = torch.rand(batch, 1, HEIGHT, WIDTH)
        with torch.set_grad_enabled(job == "train"):
            steps = network(images)
        if job == "train":
            texts = torch.randint(1, CLASSES, (batch, GRAPHEMES))
            lengths, counts = torch.full((batch,), len(steps)), torch.full((batch,), GRAPHEMES)
            loss = nn.functional.ctc_loss(steps, texts, lengths, counts)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
