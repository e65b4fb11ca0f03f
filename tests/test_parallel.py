"""Training in two processes under `torchrun`: both end with the same weights, and one bundle is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from uncial.bundle import load_bundle
from uncial.errors import ConfigError, TrainingError
from uncial.nn.parallel import Ranks

TOGETHER = """
import signal
import sys
from pathlib import Path
import torch
from drawn_samples import samples, settings
from uncial import train as training
signal.alarm(240)  # ranks that wait for each other for ever end, too
out = Path(sys.argv[1])
learner = training.Learner

def kept(*all):
    global made
    made = learner(*all)
    return made

training.Learner = kept
# Batches of one line and of four, so that ranks that counted for themselves would part.
lines = samples(24, texts=("a", "Dear Ann, no news " * 5))
bundle = training.train(lines, out, settings(batch_lines=1, epochs=3, averaging=0.5, bigram_weight=0.3))
rank = torch.distributed.get_rank()
assert bundle.path == out
torch.save({"weights": dict(made.network.named_parameters()), "bad": made.bad_in_a_row}, f"{out}.rank{rank}")
torch.distributed.destroy_process_group()
"""


def test_two_processes_train_together_end_with_equal_weights_and_write_one_bundle(tmp_path: Path) -> None:
    (tmp_path / "together.py").write_text(TOGETHER, encoding="utf-8")
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ran = subprocess.run(
        [*command, tmp_path / "together.py", tmp_path / "bundle"],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    one, other = (torch.load(tmp_path / f"bundle.rank{rank}", weights_only=True) for rank in (0, 1))
    assert one["weights"].keys() == other["weights"].keys()
    for name, value in one["weights"].items():
        assert torch.equal(value, other["weights"][name]), name
    assert load_bundle(tmp_path / "bundle").provenance["course"]["lines"] >= 3 * 24
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["bundle", "bundle.run"]
    checkpoint = torch.load(tmp_path / "bundle.run" / "checkpoint.pt", weights_only=True)
    assert torch.equal(checkpoint["network"]["head.weight"], one["weights"]["head.weight"])


def test_each_rank_gets_as_many_batches_and_none_gets_one_twice() -> None:
    batches = [[n] for n in range(7)]
    shares = [Ranks(rank, 3).share(batches) for rank in range(3)]
    assert shares == [[[0], [3]], [[1], [4]], [[2], [5]]]
    assert Ranks().share(batches) == batches


def test_too_few_batches_for_all_ranks_are_told() -> None:
    with pytest.raises(TrainingError, match="1 batches an epoch cannot be shared by 2 processes"):
        Ranks(0, 2).share([[0, 1]])


def test_alone_there_is_nothing_to_agree_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    alone = Ranks.join("auto")
    assert (alone.rank, alone.world) == (0, 1)
    assert (alone.sum(3.5), alone.agree(2.0), alone.all(True), alone.all(False)) == (3.5, 2.0, True, False)
    alone.meet()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_told() -> None:
    assert Ranks().device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="device 'cuda' is not there.*'auto' or 'cpu'"):
        Ranks().device("cuda")
