from jinv.cli.main import main
from jinv.models.zoo import classifier_names


def test_the_zoo_is_listed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert set(classifier_names()) <= set(lines)
    assert "76.13" in lines["resnet50"] and "huggingface.co" in lines["resnet50"]
    assert "embedded" in lines["cifar10_resnet20"]
    assert "train it" in lines["cifar10_resnet18"]


def test_one_model_is_described(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["models", "cifar10_resnet32"]) == 0
    text = capsys.readouterr().out
    for fact in (
        "airplane",
        "BSD-2-Clause",
        "resnet32-d509ac18.th",
        "layer3.4.bn2 (64)",
        "464,154",
    ):
        assert fact in text
    (row,) = [line for line in text.splitlines() if line.split()[:1] == ["stage2"]]
    assert "16 x 16 x 32" in row and row.split()[-2:] == ["2", "61"]
    assert text.index("layer1.0.bn1") < text.index("layer3.4.bn2")


def test_an_unknown_model_is_refused(capsys):
    assert main(["models", "resnet51"]) == 2
    assert "did you mean resnet50" in capsys.readouterr().err


def test_classes_are_listed_with_their_numbers(capsys):
    assert main(["models", "resnet50", "--classes", "Shark"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["2", "3"]
    assert "great white shark" in lines[0]
    assert main(["models", "resnet50", "--classes", "all"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1000
    assert main(["models", "resnet50", "--classes", "sharc"]) == 2
    assert "no class of resnet50 has 'sharc'" in capsys.readouterr().err
    assert main(["models", "--classes", "shark"]) == 2
    assert "give its NAME" in capsys.readouterr().err
