//! Good answers that have to agree.

use buttress_core::{Attempt, Cause, Outcome, Protocol};

/// Good answers, by what they say. Nothing is kept where one is enough.
pub(super) struct Answers<Res> {
    groups: Vec<Vec<Answer<Res>>>,
}

struct Answer<Res> {
    response: Res,
    outcome: Outcome,
    attempt: Option<Attempt>,
}

impl<Res> Answers<Res> {
    pub(super) const fn none() -> Self {
        Self { groups: Vec::new() }
    }

    pub(super) fn add<P, Err>(
        &mut self,
        response: Res,
        outcome: Outcome,
        attempt: Option<Attempt>,
        protocol: &P,
    ) where
        P: Protocol<Res, Err>,
    {
        let same = |group: &&mut Vec<Answer<Res>>| {
            let first = group.first();
            first.is_some_and(|first| protocol.agree(&first.response, &response))
        };
        let group = self.groups.iter_mut().find(same);
        let answer = Answer {
            response,
            outcome,
            attempt,
        };
        match group {
            Some(group) => group.push(answer),
            None => self.groups.push(vec![answer]),
        }
    }

    /// How many agree, at most.
    pub(super) fn most(&self) -> u32 {
        let sizes = self.groups.iter().map(Vec::len);
        sizes.max().unwrap_or_default() as u32
    }

    /// The answer on which so many agree. Whoever said something else has failed.
    pub(super) fn agreed<P, Err>(&mut self, needed: u32, protocol: &P) -> Option<P::Response>
    where
        P: Protocol<Res, Err>,
    {
        let enough = |group: &Vec<Answer<Res>>| group.len() as u32 >= needed;
        let index = self.groups.iter().position(enough)?;
        let mut group = self.groups.swap_remove(index);
        for dissenter in self.groups.drain(..).flatten() {
            dissenter.end(Outcome::Failure(Cause::Dissent));
        }
        let answer = group.pop()?;
        group.into_iter().for_each(|other| {
            let outcome = other.outcome;
            other.end(outcome);
        });
        Some(protocol.respond(answer.response, answer.outcome, answer.attempt))
    }

    /// There is no agreement: each stands for itself.
    pub(super) fn end(&mut self) {
        for answer in self.groups.drain(..).flatten() {
            let outcome = answer.outcome;
            answer.end(outcome);
        }
    }
}

impl<Res> Answer<Res> {
    fn end(self, outcome: Outcome) {
        if let Some(attempt) = self.attempt {
            attempt.finish(outcome);
        }
    }
}
