"""A classifier as one graph for other programs: ONNX and torch.export, written, read and run."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from brainmri.errors import BrainmriError, first_line
from brainmri.models.classifier import Classifier

# What torch's exporter writes without conversion; onnxruntime reads it since 1.14.
OPSET = 18
INPUT = "images"
OUTPUTS = ("logits", "probabilities")
DESCRIPTION = "brainmri.json"  # the entry of a torch.export archive
LARGEST_ONNX = 2**31 - 16 * 2**20  # bytes of weights; protobuf ends at 2 GiB, and the graph needs some

# Images of uint8, shape (n, S, S), to logits and probabilities (n, C).
Runner = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class WholeModel(nn.Module):
    """From gray images as they are stored to logits and probabilities: nothing is left to forget.

    Parameters
    ----------
    classifier
        In evaluation mode, with its mean and std.
    temperature
        By which logits are divided before they become probabilities.
    """

    def __init__(self, classifier: Classifier, temperature: float):
        super().__init__()
        self.classifier = classifier
        self.temperature = temperature

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and probabilities (N, C) of gray images (N, S, S), uint8."""
        logits = self.classifier(self.classifier.normalised(images.float() / 255)).float()
        return logits, torch.softmax(logits / self.temperature, dim=1)


def traced(classifier: Classifier, image_size: int, temperature: float) -> ExportedProgram:
    """Return the graph of a classifier, for batches of any size.

    Parameters
    ----------
    classifier
        On the CPU; put in evaluation mode.
    image_size
        Pixels a side.
    temperature
        Of the calibration; 1 without one.

    Raises
    ------
    BrainmriError
        If torch cannot trace the architecture.
    """
    # Two images: torch takes a dimension of 1 for a constant.
    example = torch.zeros(2, image_size, image_size, dtype=torch.uint8)
    whole = WholeModel(classifier, temperature).eval()
    whole.to(memory_format=torch.contiguous_format)  # torch.export.save wants its tensors so
    try:
        with torch.no_grad():
            program = torch.export.export(whole, (example,), dynamic_shapes={INPUT: {0: Dim("batch")}})
    except Exception as error:  # whatever torch's tracer and the architecture's own code raise
        raise export_failed("torch.export", error) from error
    # The traces name folders of this machine, which are nobody's business.
    for module in program.graph_module.modules():
        for node in getattr(getattr(module, "graph", None), "nodes", ()):
            node.meta.pop("stack_trace", None)
    return program


def export_failed(what: str, error: Exception) -> BrainmriError:
    """Return the error for an architecture that an exporter refuses."""
    return BrainmriError(f"{what} cannot take this model ({first_line(error)}): leave that format out.")


def write_onnx(program: ExportedProgram, path: Path, description: dict) -> None:
    """Write a graph as ONNX, and let onnx's own checker look at the file.

    Parameters
    ----------
    program
        As `traced` gives it.
    path
        Where to write.
    description
        What a user must know; text as it is, all else as JSON, in `metadata_props`.

    Raises
    ------
    BrainmriError
        If the model has no ONNX form, or would not fit into one file.
    """
    weights = sum(tensor.nbytes for tensor in program.state_dict.values())
    if weights > LARGEST_ONNX:
        raise BrainmriError(
            f"The weights are {weights / 2**30:.1f} GiB, and an ONNX file holds 2: leave --onnx out."
        )
    try:
        exported = torch.onnx.export(
            program,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
        document = exported.model_proto
        name_batch(document.graph)
        document.doc_string = description["note"]
        for key, value in description.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            document.metadata_props.add(key=key, value=text)
        onnx.checker.check_model(document, full_check=True)
    except Exception as error:  # whatever torch's exporter, its optimiser and the checker raise
        raise export_failed("torch.onnx", error) from error
    path.write_bytes(document.SerializeToString())


def name_batch(graph: onnx.GraphProto) -> None:
    """Call the number of images `batch`, where torch counts its symbols (s0, s34, …)."""
    symbol = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in [*graph.input, *graph.output, *graph.value_info]:
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param == symbol:
                dimension.dim_param = "batch"


def write_program(program: ExportedProgram, path: Path, description: dict) -> None:
    """Write a graph as an archive of torch.export, with the description in its entry `brainmri.json`."""
    text = json.dumps(description, indent=2, ensure_ascii=False)
    with path.open("wb") as file:
        torch.export.save(program, file, extra_files={DESCRIPTION: text})


def onnx_runner(path: Path) -> Runner:
    """Return a function that runs an ONNX file on the CPU by onnxruntime."""
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own, which share no base
        raise export_failed("onnxruntime", error) from error
    return lambda images: tuple(session.run(OUTPUTS, {INPUT: np.ascontiguousarray(images)}))


def program_runner(path: Path) -> Runner:
    """Return a function that runs an archive of torch.export on the CPU."""
    with path.open("rb") as file:
        graph = torch.export.load(file).module()

    def run(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            logits, probabilities = graph(torch.from_numpy(np.array(images)))
        return logits.numpy(), probabilities.numpy()

    return run
