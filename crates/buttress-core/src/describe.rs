//! What kind of request a request is, and what it asks for.

use std::time::Duration;

use crate::Call;

use crate::Priority;

/// What kind of request it is, in words of which there are few: they tell where a fault lies, and label figures.
///
/// Routes and methods must not identify a caller, nor have more than some dozens of values: from the 64th value of a
/// destination on, all others are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Labels<'a> {
    /// The route as declared: `/orders/{id}`, not `/orders/17`.
    pub route: Option<&'a str>,
    /// The method.
    pub method: Option<&'a str>,
    /// Who calls: a tenant, a key. It is hashed to one byte at once and kept nowhere; see
    /// [`Rules::caller_share`](crate::Rules::caller_share).
    pub caller: Option<&'a str>,
    /// How much it matters, where that is said.
    pub priority: Option<Priority>,
}

impl<'a> Labels<'a> {
    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            route: None,
            method: None,
            caller: None,
            priority: None,
        }
    }

    /// Is there a name among them?
    #[inline]
    pub(crate) const fn names_any(&self) -> bool {
        self.route.is_some() || self.method.is_some() || self.caller.is_some()
    }

    /// Sets the route.
    #[must_use]
    pub const fn route(mut self, route: &'a str) -> Self {
        self.route = Some(route);
        self
    }

    /// Sets who calls.
    #[must_use]
    pub const fn caller(mut self, caller: &'a str) -> Self {
        self.caller = Some(caller);
        self
    }

    /// Sets how much it matters.
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Sets the method.
    #[must_use]
    pub const fn method(mut self, method: &'a str) -> Self {
        self.method = Some(method);
        self
    }
}

/// What only the protocol can tell about a request before it is sent. It need not: the defaults say nothing.
///
/// # Examples
///
/// ```
/// use buttress_core::{Describe, Labels};
///
/// struct Query { table: &'static str }
///
/// #[derive(Clone)]
/// struct Sql;
///
/// impl Describe<Query> for Sql {
///     fn labels<'a>(&self, query: &'a Query) -> Labels<'a> {
///         Labels::none().route(query.table)
///     }
/// }
/// ```
pub trait Describe<Req> {
    /// What kind of request it is.
    fn labels<'a>(&self, _request: &'a Req) -> Labels<'a> {
        Labels::none()
    }

    /// What it asks for beside its policy. It can only tighten it.
    fn call(&self, _request: &Req) -> Call {
        Call::new()
    }

    /// Writes down in the request what the endpoint should know of the attempt. Called where there is something to
    /// know, just before it is sent.
    fn stamp(&self, _request: &mut Req, _stamp: &Stamp) {}
}

/// What an endpoint should know of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamp {
    /// How long its answer is waited for. Never zero: what has no time left is not sent.
    pub left: Option<Duration>,
    /// Does the policy keep that to itself? Then it only takes the place of what the request says already, which is longer.
    pub discreet: bool,
    /// How many were sent of the same call before.
    pub again: u32,
    /// Are extra sends at an end: is it one itself, or is there no budget for any?
    pub spent: bool,
    /// The number of the lease by which the endpoint is the primary, as far as is known here.
    pub epoch: Option<u64>,
}

impl Stamp {
    /// Nothing.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            left: None,
            discreet: false,
            again: 0,
            spent: false,
            epoch: None,
        }
    }

    /// Sets how long the answer is waited for.
    #[inline]
    #[must_use]
    pub const fn left(mut self, span: Duration) -> Self {
        self.left = Some(span);
        self
    }

    /// Sets whether that only takes the place of what the request says already.
    #[inline]
    #[must_use]
    pub const fn discreet(mut self, discreet: bool) -> Self {
        self.discreet = discreet;
        self
    }

    /// Sets how many were sent of the same call before.
    #[inline]
    #[must_use]
    pub const fn again(mut self, sends: u32) -> Self {
        self.again = sends;
        self
    }

    /// Sets whether extra sends are at an end.
    #[inline]
    #[must_use]
    pub const fn spent(mut self, spent: bool) -> Self {
        self.spent = spent;
        self
    }

    /// Sets the number of the endpoint's lease.
    #[inline]
    #[must_use]
    pub const fn epoch(mut self, epoch: Option<u64>) -> Self {
        self.epoch = epoch;
        self
    }

    /// Is there nothing to know?
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left.is_none() && self.again == 0 && !self.spent && self.epoch.is_none()
    }
}
