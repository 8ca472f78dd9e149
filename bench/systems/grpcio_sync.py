"""grpcio's synchronous server with 64 threads, called from 64 threads over one channel."""

from __future__ import annotations

import threading
import time
from concurrent import futures

import grpc

from graftwire.bench.systems.driving import IN_FLIGHT, PAYLOAD, Run, announce, main

_METHOD = "/bench.Bench/Echo"


def _same(data: bytes) -> bytes:
    return data


class _Handler(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if handler_call_details.method != _METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: request, request_deserializer=_same, response_serializer=_same
        )


def serve() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=IN_FLIGHT), handlers=(_Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    announce(port)
    server.wait_for_termination()


def drive(port: int, workload: str, seconds: float) -> dict[str, float]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        echo = channel.unary_unary(_METHOD, request_serializer=_same, response_deserializer=_same)
        echo(PAYLOAD)
        counted = Run(seconds)
        lock = threading.Lock()

        def call() -> None:
            while True:
                began = time.perf_counter()
                echo(PAYLOAD)
                with lock:
                    if counted.done(began, time.perf_counter()):
                        return

        threads = [threading.Thread(target=call) for _ in range(IN_FLIGHT if workload == "inflight" else 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return counted.result()


if __name__ == "__main__":
    main(serve, drive)
