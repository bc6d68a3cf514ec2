//! What is known of one endpoint now.

mod ages;
mod callers;
mod census;
mod dropped;
mod entry;
mod force;
mod front;
mod host;
mod lane;
mod line;
mod probed;
mod reported;
mod said;
mod shard;
mod shown;
mod signs;
mod state;
mod throttled;
mod turns;
mod word;

use std::time::Duration;

pub use force::Force;
pub use host::{Host, Parts, Rules};
use lane::Ways;
#[cfg(all(test, loom))]
pub(crate) use lane::made;
pub(crate) use lane::{Lane, WeakWays};
pub(crate) use state::State as VitalState;

use crate::{
    Admission, Ask, Attempt, BreakerState, Calls, Clock, Destination, Edge, EjectionPolicy,
    Endpoint, Health, Labels, Nanos, Outcome, Permit, Refusal, Snapshot,
    destination::Shared,
    pick::Group,
    registry::name,
    sync::{Arc, Weak},
};

/// One thread's way into a record; see [`Vitals::entrance`].
#[derive(Debug)]
pub struct Entrance(Lane);

impl Entrance {
    /// Asks at a time that was just read for one attempt, or for a place in the queue.
    ///
    /// # Errors
    ///
    /// As [`Vitals::admit_or_wait`].
    #[inline]
    pub fn admit_or_wait<'a>(
        &self,
        now: Nanos,
        ask: impl FnOnce() -> Ask<'a>,
    ) -> Result<Admission, Refusal> {
        entry::admit(&self.0, now, ask)
    }
}

/// What is known of one endpoint now: health, breaker, counts, episodes. Clones share it.
///
/// [`permit`](Self::permit) and [`record`](Self::record) are pure decisions over that state; [`admit`](Self::admit)
/// wraps them in an [`Attempt`] that reads the clock.
#[derive(Clone, Debug)]
pub struct Vitals(Ways);

impl Vitals {
    /// A new record of one service, born now, with nothing against it.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, rules: &Rules, host: &Host) -> Self {
        Destination::new(name, rules, host).alone()
    }

    pub(crate) fn of(state: VitalState) -> Self {
        Self(Ways::into(state))
    }

    /// Asks for one attempt, now.
    ///
    /// # Errors
    ///
    /// Refused while the breaker is open.
    pub fn admit(&self) -> Result<Attempt, Refusal> {
        self.admit_at(self.clock().now())
    }

    /// Asks for one attempt at a time that was just read.
    ///
    /// # Errors
    ///
    /// Refused while the breaker is open.
    pub fn admit_at(&self, now: Nanos) -> Result<Attempt, Refusal> {
        let lane = self.0.mine();
        lane.permit(now)
            .map(|permit| Attempt::new(lane.clone(), permit))
    }

    /// This thread's way in: to ask for an attempt later, and hold nothing meanwhile that other threads hold.
    #[must_use]
    pub fn entrance(&self) -> Entrance {
        Entrance(self.0.mine().clone())
    }

    /// Asks at a time that was just read for one attempt, or for a place in the queue of those who wait for one, where the
    /// limit has a queue. Where there is no place, `ask` says what there is to know of the call.
    ///
    /// # Errors
    ///
    /// Refused while the breaker is open, and when there is no place left in the queue either.
    #[inline]
    pub fn admit_or_wait<'a>(
        &self,
        now: Nanos,
        ask: impl FnOnce() -> Ask<'a>,
    ) -> Result<Admission, Refusal> {
        entry::admit(self.0.mine(), now, ask)
    }

    /// Might it take one call more under its limit? A hint, in one load; [`permit`](Self::permit) decides.
    #[must_use]
    #[inline]
    pub fn has_room(&self) -> bool {
        !self.known().is_full()
    }

    /// Asks for one attempt though its breaker says no: where so few of a set are usable that their health is disregarded.
    ///
    /// # Errors
    ///
    /// Refused while it is taken out by hand.
    pub fn admit_anyway(&self, now: Nanos) -> Result<Attempt, Refusal> {
        let lane = self.0.mine();
        lane.permit_anyway(now)
            .map(|permit| Attempt::new(lane.clone(), permit))
    }

    /// May an attempt begin at `now`? Whoever takes a permit owes its [`record`](Self::record).
    ///
    /// # Errors
    ///
    /// Refused while the breaker is open.
    pub fn permit(&self, now: Nanos) -> Result<Permit, Refusal> {
        self.0.mine().permit(now)
    }

    /// Says what kind of call `permit` is for.
    pub fn label(&self, permit: &mut Permit, labels: Labels<'_>) {
        self.known().label(permit, labels);
    }

    /// Ends what [`permit`](Self::permit) began.
    pub fn record(&self, permit: Permit, now: Nanos, outcome: Outcome) {
        let state = self.known();
        state.record(state.shard(permit.seat.lane), &permit, now, outcome);
    }

    /// Does by hand what `force` says, whatever is known of it, until it is called with none. Whoever was taken out comes
    /// back by degrees.
    ///
    /// # Examples
    ///
    /// ```
    /// use buttress_core::{Clock, Force, Host, Nanos, Refusal, Rules, Vitals};
    ///
    /// let vitals = Vitals::new("db", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
    /// vitals.force(Some(Force::Open), Nanos::ZERO);
    /// assert_eq!(vitals.admit().unwrap_err(), Refusal::Withdrawn);
    /// vitals.force(None, Nanos::ZERO);
    /// assert!(vitals.admit().is_ok());
    /// ```
    pub fn force(&self, force: Option<Force>, now: Nanos) {
        self.known().force(force, now);
    }

    /// Forgets what is known against it: calls flow. Counts and past outages stay.
    pub fn reset(&self, now: Nanos) {
        self.known().reset(now);
    }

    /// A probe sent at `sent` came back with `outcome`, or was given up; `edge` if that has changed what its probes say.
    ///
    /// Probes and calls feed one record. Where they disagree, calls win.
    pub fn probed(&self, sent: Nanos, now: Nanos, outcome: Outcome, edge: Option<Edge>) {
        self.known().probed(sent, now, outcome, edge);
    }

    /// What is done with it by hand, if anything.
    #[must_use]
    pub fn forced(&self) -> Option<Force> {
        self.known().forced()
    }

    /// Is it well?
    #[must_use]
    pub fn health(&self) -> Health {
        self.known().health()
    }

    /// Its name: that of the policy, and behind a slash its address or key, where there are several.
    #[must_use]
    pub fn name(&self) -> String {
        name(self.policy(), self.known().address().as_deref())
    }

    /// Under which policy.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.known().destination.name
    }

    /// Which endpoint, or which key, where there are several.
    #[must_use]
    pub fn endpoint(&self) -> Option<Arc<str>> {
        self.known().address()
    }

    /// A call failed here first, and was `covered` by another, or not.
    pub fn switched(&self, covered: bool) {
        self.known().switches.count(covered);
    }

    /// Does a call to it begun at `started` stand in a line that moves? Calls are answered in turn, and one was within `patience`: then a copy
    /// would stand in another line, and cost those behind it as much as it wins. Tells after how long that is to be asked again.
    #[must_use]
    pub fn in_line(&self, started: Nanos, now: Nanos, patience: Duration) -> Option<Duration> {
        self.known().front.line.holds(started, now, patience)
    }

    /// How many calls to it were dropped in the last half minute, or in up to twice as long, for others were answered first.
    #[must_use]
    pub fn dropped(&self, now: Nanos) -> u32 {
        self.known().dropped.of_late(now)
    }

    /// Is there evidence against it?
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        !self.known().is_well()
    }

    /// How many calls were permitted so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.known().calls()
    }

    /// Are there calls under way or waiting that its limit counts?
    #[must_use]
    pub fn holds_places(&self) -> bool {
        self.known().holds_places()
    }

    /// Might a call be admitted at some `now`? One load; [`permit`](Self::permit) decides.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.known().state()
    }

    /// The share of its calls that it gets: 1 while calls flow, less on its way back, 0 while it is out. One that several
    /// calls may try at once gets all of its own, until they are enough.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.known().share()
    }

    /// Is the call about to be made one of its [`share`](Self::share)? For whoever picks among several, once per call that
    /// might go to it.
    #[must_use]
    pub fn takes_turn(&self) -> bool {
        self.known().takes_turn()
    }

    /// From when on a call may be admitted, as far as is known at `now`; [`Nanos::ZERO`] while calls flow.
    #[must_use]
    pub fn due(&self, now: Nanos) -> Nanos {
        self.known().due(now)
    }

    /// Everything known, as plain data.
    #[must_use]
    pub fn snapshot(&self, now: Nanos) -> Snapshot {
        self.known().snapshot(now)
    }

    /// What this endpoint shares with others of its destination.
    #[must_use]
    pub fn destination(&self) -> Destination {
        Destination::of(&self.known().destination)
    }

    pub(crate) fn goes_by(&self, name: &str) -> bool {
        let endpoint = || self.known().address();
        let rest = name.strip_prefix(self.policy());
        rest.is_some_and(|rest| {
            rest.is_empty()
                || (rest.strip_prefix('/'))
                    .is_some_and(|rest| endpoint().is_some_and(|one| *one == *rest))
        })
    }

    pub(crate) fn is_of(&self, destination: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.known().destination, destination)
    }

    /// The same endpoint is described anew: it may be of another priority now, or elsewhere.
    pub fn describe(&self, endpoint: &Endpoint) {
        let groups = &self.known().destination.groups;
        self.known().membership.moves(groups, endpoint);
        self.known().is_of(endpoint.tier());
    }

    /// It is no longer one of its set, though calls to it may be under way: it counts for nobody else.
    pub fn leaves(&self) {
        self.known().leaves();
    }

    /// What is known of it, and lies at one place.
    pub(crate) fn known(&self) -> &Arc<VitalState> {
        self.0.state()
    }

    pub(crate) fn group(&self, priority: u32, zone: Option<&Arc<str>>) -> Arc<Group> {
        self.known().destination.groups.of(priority, zone)
    }

    pub(crate) fn ejection(&self) -> EjectionPolicy {
        self.known().destination.rules.ejection
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.known().destination.rules.limit.is_some()
    }

    pub(crate) fn join(&self, now: Nanos) {
        self.known().join(now);
    }

    fn clock(&self) -> Clock {
        self.known().destination.host.clock
    }

    pub(crate) fn downgrade(&self) -> WeakWays {
        self.0.downgrade()
    }

    pub(crate) fn weak_state(&self) -> Weak<VitalState> {
        Arc::downgrade(self.known())
    }

    pub(crate) fn upgrade(weak: &WeakWays) -> Option<Self> {
        weak.upgrade().map(Self)
    }
}

impl Lane {
    #[inline]
    fn permit(&self, now: Nanos) -> Result<Permit, Refusal> {
        self.state().permit(self.shard(), self.number(), now)
    }

    fn permit_anyway(&self, now: Nanos) -> Result<Permit, Refusal> {
        self.state().permit_anyway(self.shard(), self.number(), now)
    }

    pub(crate) fn record(&self, permit: &Permit, now: Nanos, outcome: Outcome) {
        self.state().record(self.shard(), permit, now, outcome);
    }

    /// The rest of its answer takes as long as it takes.
    pub(crate) fn answered(&self, permit: &mut Permit) {
        let shard = self.shard();
        permit.seat.place = (permit.seat.place).filter(|place| !shard.leave_young(*place));
    }

    pub(crate) fn label(&self, permit: &mut Permit, labels: Labels<'_>) {
        self.state().label(permit, labels);
    }

    pub(crate) fn overtaken(&self, permit: &Permit, now: Nanos) {
        let outcome = self.state().overtaken(permit.started, now);
        self.record(permit, now, outcome);
    }

    pub(crate) fn clock(&self) -> Clock {
        self.state().destination.host.clock
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.state().destination.calls
    }

    pub(crate) fn unattended(&self) -> Option<Destination> {
        let destination = &self.state().destination;
        // The clock is read only by whoever finds nobody at work; when the call began may be long ago.
        let claimed = destination.norm.unattended()
            && destination
                .norm
                .claim(self.clock().now().after(destination.norm.interval()));
        claimed.then(|| Destination::of(destination))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(all(test, not(loom)))]
mod vectors;

#[cfg(all(test, loom))]
mod loom;
