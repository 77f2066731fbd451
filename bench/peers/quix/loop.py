"""The work in quixstreams. Runs until it is killed."""

import json
import os

from quixstreams import Application

shape = os.environ["BENCH_SHAPE"]
app = Application(
    broker_address=os.environ["BENCH_BROKERS"],
    consumer_group=os.environ["BENCH_GROUP"],
    auto_offset_reset="earliest",
    auto_create_topics=False,
    commit_interval=1.0,
    state_dir=os.path.join(os.environ["BENCH_FOLDER"], "state"),
    consumer_extra_config={"fetch.queue.backoff.ms": 5, "queued.max.messages.kbytes": 16384},
    producer_extra_config={
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": int(os.environ["BENCH_LINGER_MS"]),
        "batch.size": 1000000,
        "batch.num.messages": 100000,
        "compression.type": os.environ["BENCH_CODEC"],
    },
)
source = app.topic(os.environ["BENCH_INPUT"], key_deserializer="bytes", value_deserializer="bytes")
sink = app.topic(os.environ["BENCH_OUTPUTS"], key_serializer="bytes", value_serializer="bytes")


def clean(value: bytes) -> bytes:
    fields = json.loads(value)
    fields.pop("name", None)
    fields.pop("password", None)
    fields["env"] = "prod"
    return json.dumps(fields, separators=(",", ":")).encode()


frame = app.dataframe(source)
if shape == "filter":
    frame = frame.filter(lambda value: b"keep" in value)
elif shape == "json":
    frame = frame.apply(clean)
frame.to_topic(sink)
app.run()
