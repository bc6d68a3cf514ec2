//! An endpoint that is up and down by turns. How many outages are made of that?

use crate::{plan::Plan, report::Report};

pub(crate) fn measure(_: &mut Report, _: Plan) -> Result<(), String> {
    Ok(())
}
