# SPDX-License-Identifier: MIT
"""The side of ONNX Runtime or OpenVINO: predictions by a net that peer_net.py exported.

    peer_runtime.py onnxruntime|openvino FILE --input "N C H W" --threads N [--seconds S]
                    [--steps N]

Memory: start is the resident set with the runtime and its CPU part loaded and the input in memory,
the file not read; peak the highest since then.
"""
import argparse

import numpy as np

from peer_common import reset_peak, status_bytes, tell, timed


class OnnxRuntime:
    def __init__(self):
        import onnxruntime
        self.module = onnxruntime
        self.version = f"ONNX Runtime {onnxruntime.__version__}"

    def load(self, path, x, threads):
        options = self.module.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.graph_optimization_level = self.module.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        session = self.module.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, {"x": x})[0]


class OpenVino:
    def __init__(self):
        import openvino
        self.module, self.core = openvino, openvino.Core()
        self.core.get_property("CPU", "FULL_DEVICE_NAME")
        self.version = f"OpenVINO {openvino.__version__.partition('-')[0]}"

    def load(self, path, x, threads):
        compiled = self.core.compile_model(self.core.read_model(path), "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads, "ENABLE_HYPER_THREADING": True,
            "CPU_DENORMALS_OPTIMIZATION": True})
        request = compiled.create_infer_request()
        request.set_input_tensor(self.module.Tensor(x, shared_memory=True))

        def step():
            request.infer()
            return request.get_output_tensor().data

        return step


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runtime", choices=["onnxruntime", "openvino"])
    parser.add_argument("file")
    parser.add_argument("--input", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--steps", type=int, default=10)
    o = parser.parse_args()
    runtime = OpenVino() if o.runtime == "openvino" else OnnxRuntime()
    shape = [int(side) for side in o.input.split()]
    x = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
    reset_peak()
    start_rss = status_bytes("VmRSS:")
    step = runtime.load(o.file, x, o.threads)
    for _ in range(3):
        y = step()
    if not np.isfinite(y).all():
        raise SystemExit("the output is not finite")
    times = timed(step, o.seconds, o.steps)
    tell({**times, "output": list(y.shape), "start_rss_bytes": start_rss,
          "peak_rss_bytes": status_bytes("VmHWM:"), "version": runtime.version})


main()
