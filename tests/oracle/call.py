"""Calls by gRPC's C core: a line in is `ADDRESS,ADDRESS POLICY`, a line out the code it ended with."""

import json
import sys

import grpc

METHOD = {"service": "buttress.inventory.v1.Inventory", "method": "Count"}
PATH = "/{service}/{method}".format(**METHOD)

# What buttress does under failover(3): the same codes again, the same number of times.
RETRY = {
    "maxAttempts": 3,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.05s",
    "backoffMultiplier": 2,
    "perAttemptRecvTimeout": "0.4s",
    "retryableStatusCodes": [
        "UNKNOWN", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
    ],
}
POLICIES = {"again": {"retryPolicy": RETRY}, "once": {}}


def options(policy):
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [{"name": [METHOD], **POLICIES[policy]}],
    }
    return [
        ("grpc.service_config", json.dumps(config)),
        # The time for each attempt comes with this.
        ("grpc.experimental.enable_hedging", 1),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
    ]


def call(addresses, policy):
    with grpc.insecure_channel("ipv4:" + addresses, options(policy)) as channel:
        ask = channel.unary_unary(PATH, lambda _: b"", lambda reply: reply)
        try:
            ask(None, timeout=3)
            return "OK"
        except grpc.RpcError as error:
            return error.code().name


for line in sys.stdin:
    print(call(*line.split()), flush=True)
