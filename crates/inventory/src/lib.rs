//! The gRPC service of examples, tests and benches: `proto/inventory.proto`, generated.

#![expect(
    missing_docs,
    reason = "generated: what there is to say is in the proto file"
)]
#![expect(clippy::allow_attributes_without_reason, reason = "generated")]

include!("buttress.inventory.v1.rs");
