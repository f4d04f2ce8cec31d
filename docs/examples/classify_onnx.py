"""Classify images with an exported model by onnxruntime, OpenCV and NumPy alone, without brainmri or torch.

    python classify_onnx.py model.onnx scan1.png scan2.jpg

For research; no medical device, no diagnosis.
"""

import json
import sys

import cv2
import numpy as np
import onnxruntime


def cropped(gray, crop):
    """Cut off the black border as the model's training images were cropped: `brainmri.images.box`."""
    if crop["method"] == "none":
        return gray
    if crop["method"] == "centre":
        height, width = (max(1, round(crop["centre"] * side)) for side in gray.shape)
        top, left = (gray.shape[0] - height) // 2, (gray.shape[1] - width) // 2
        return gray[top : top + height, left : left + width]
    _, bright = cv2.threshold(cv2.GaussianBlur(gray, (5, 5), 0), crop["threshold"], 255, cv2.THRESH_BINARY)
    opened = cv2.morphologyEx(bright, cv2.MORPH_OPEN, None, iterations=2)
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return gray
    left, top, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    margin = crop["margin"]
    box = gray[max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin]
    return gray if box.size < crop["minimum_area"] * gray.size else box


def resized(gray, size):
    """Resize to a square without aliasing, in the steps of `brainmri.images.prepare`."""
    height, width = gray.shape
    if min(height, width) < size and max(height, width) > 2 * size:
        height, width = min(height, size), min(width, size)
        gray = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
    if height * width < size * size:
        return cv2.resize(gray, (size, size), interpolation=cv2.INTER_CUBIC)
    if min(height, width) >= size:
        multiple = (width // size * size, height // size * size)
        gray = cv2.resize(gray, multiple, interpolation=cv2.INTER_LINEAR)
    return cv2.resize(gray, (size, size), interpolation=cv2.INTER_AREA)


def main(model, *files):
    """Print the class and the probabilities of each file."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    classes, crop, size = (json.loads(about[key]) for key in ("classes", "crop", "image_size"))
    images = []
    for file in files:
        gray = cv2.imread(file, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
        if gray is None:
            sys.exit(f"{file} is no image that OpenCV reads.")
        images.append(resized(cropped(gray, crop), size))
    # uint8, 0 to 255: the graph normalises by itself, and applies the calibration's temperature.
    _, probabilities = session.run(["logits", "probabilities"], {"images": np.stack(images)})
    for file, row in zip(files, probabilities, strict=True):
        shares = ", ".join(f"{name} {share:.4f}" for name, share in zip(classes, row, strict=True))
        print(f"{file}: {classes[row.argmax()]} ({shares})")
    print(about["note"])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
