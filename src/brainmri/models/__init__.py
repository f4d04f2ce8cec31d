"""Networks: the reference CNN, timm backbones, heads, and how a trained one is saved."""
