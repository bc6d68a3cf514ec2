//! What this process says of itself, over what the root knows.

use buttress_core::PolicyError;
use buttress_http::Serving;

use crate::{Buttress, CLOCK};

impl Buttress {
    /// What this process says of itself to whoever sends it calls: the pages `/livez` and `/readyz`, and gRPC's health service. It is
    /// not ready while what was made from one of the `required` policies is out; [why these should be few](Serving).
    ///
    /// # Errors
    ///
    /// When no policy has one of the required names.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress::{Buttress, Policy};
    ///
    /// let buttress = Buttress::new().policy("db", Policy::new());
    /// let serving = buttress.serving(["db"])?;
    /// assert!(serving.is_ready());
    ///
    /// let error = buttress.serving(["bd"]).unwrap_err();
    /// assert_eq!(error.to_string(), "policy = bd: needs one of the declared: db");
    /// # Ok::<(), buttress::PolicyError>(())
    /// ```
    pub fn serving<'a>(
        &self,
        required: impl IntoIterator<Item = &'a str>,
    ) -> Result<Serving, PolicyError> {
        let required: Vec<&str> = required.into_iter().collect();
        let known: Vec<&str> = self.policies().map(|(name, _)| name).collect();
        match required.iter().find(|name| !known.contains(name)) {
            Some(name) => {
                let needs = format!("one of the declared: {}", known.join(", "));
                Err(PolicyError::new("policy", *name, needs))
            }
            None => Ok(Serving::new(CLOCK, self.registry().clone(), required)),
        }
    }
}
