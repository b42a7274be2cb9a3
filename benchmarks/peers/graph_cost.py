"""Count the multiply-accumulates of a Keras network in TensorFlow's graph, by the rule of PyTorch's FLOP counter.

Only convolutions and products of matrices count. A convolution has one for each output, tap of the kernel and input
channel of its group; a transposed convolution has those of the convolution that it transposes.
"""

import math

import tensorflow as tf


def multiply_accumulates(network):
    """Return the multiply-accumulates for one image."""
    specification = tf.TensorSpec((1, *network.input_shape[1:]), tf.float32)
    function = tf.function(lambda images: network(images, training=False), jit_compile=False)
    return sum(map(_of_operation, _operations(function.get_concrete_function(specification).graph)))


def _operations(graph):
    """Yield the operations of a graph, and those of the functions that it calls."""
    for operation in graph.get_operations():
        yield operation
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            yield from _operations(graph._get_function(operation.get_attr("f").name).graph)


def _of_operation(operation):
    shapes = [tensor.shape.as_list() for tensor in operation.inputs if tensor.shape.rank is not None]
    output = math.prod(operation.outputs[0].shape.as_list()) if operation.outputs else 0
    match operation.type:
        case "Conv2D":
            return output * math.prod(shapes[1][:3])
        case "DepthwiseConv2dNative":
            return output * math.prod(shapes[1][:2])
        case "Conv2DBackpropInput":  # inputs: output shape, kernel (h, w, out, in), the map that is enlarged
            return math.prod(shapes[2]) * math.prod(shapes[1][:3])
        case "MatMul":
            return output * shapes[0][0 if operation.get_attr("transpose_a") else 1]
        case "BatchMatMul" | "BatchMatMulV2":
            return output * shapes[0][-2 if operation.get_attr("adj_x") else -1]
        case "Einsum":
            left, right = operation.get_attr("equation").decode().split("->")[0].split(",")
            sizes = dict(zip(left + right, shapes[0] + shapes[1], strict=True))
            return math.prod(sizes.values())
    return 0
