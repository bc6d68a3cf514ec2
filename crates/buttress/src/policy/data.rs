//! As it is written to a file and read from one.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Policy;

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for Policy {
    /// A policy that cannot be is not read: the error says which field and what would do.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let policy = Self::deserialize(from)?;
        policy.check().map_err(D::Error::custom)?;
        Ok(policy)
    }
}
